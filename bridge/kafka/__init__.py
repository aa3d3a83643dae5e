"""How this service talks to Kafka: clients, records, topics, offsets, partitions."""
