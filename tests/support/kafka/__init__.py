"""Support for tests: kafka."""
