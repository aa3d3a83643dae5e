"""The commands beside the service, run as people and scripts run them, on a real Kafka."""
