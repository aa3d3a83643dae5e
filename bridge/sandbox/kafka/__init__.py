"""A real Apache Kafka on this machine, installed from package registries, gone when its owner is."""
