"""`sms-bridge demo`: a real Kafka, simulated providers, the bridge in its own process, and a verified result."""
