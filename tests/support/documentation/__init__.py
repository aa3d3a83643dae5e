"""Support for tests: documentation."""
