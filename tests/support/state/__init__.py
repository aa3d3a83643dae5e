"""Support for tests: state."""
