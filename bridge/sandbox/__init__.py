"""For demo and tests: a local Kafka, simulators of both providers, and the demo. The service never imports it."""
