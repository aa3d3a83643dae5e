"""Support for tests: service."""
