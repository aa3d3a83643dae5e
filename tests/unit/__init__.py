"""Tests of single parts: no Kafka, no process of the service."""
