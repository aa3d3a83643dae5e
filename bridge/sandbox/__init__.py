"""A whole world on one machine: a real Kafka, both providers simulated, a demo. Never imported by the service."""
