"""Tests of the parts that use Kafka, on a real one."""
