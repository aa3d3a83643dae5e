"""Tests of single parts, without Kafka and without a process of the service."""
