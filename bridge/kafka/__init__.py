"""How this service talks to Kafka: clients, topics, offsets, the partitions of keys, appending, dead letters."""
