"""Tests of the service as a black box: real processes, a real Kafka, real HTTP, read by an independent client."""
