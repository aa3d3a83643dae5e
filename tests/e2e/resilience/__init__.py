"""End-to-end tests of resilience."""
