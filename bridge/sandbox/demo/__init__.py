"""`sms-bridge demo`: runs Kafka, both simulated providers and the bridge, and verifies the result."""
