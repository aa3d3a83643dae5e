"""End-to-end tests of observability."""
