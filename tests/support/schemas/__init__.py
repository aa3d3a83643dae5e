"""Support for tests: schemas."""
