"""Support for tests: helm."""
