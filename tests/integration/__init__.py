"""Tests of the parts that speak with Kafka, on a real one."""
