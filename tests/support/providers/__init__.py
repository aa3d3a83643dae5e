"""Support for tests: providers."""
