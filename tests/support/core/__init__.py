"""Support for tests: core."""
