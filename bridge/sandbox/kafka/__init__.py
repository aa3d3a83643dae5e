"""A local Apache Kafka, installed from package registries, which stops with the process that started it."""
