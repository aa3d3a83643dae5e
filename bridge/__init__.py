"""sms-bridge: the delivery reports of SMS providers as one clean Kafka stream."""

__version__ = "0.1.0"
