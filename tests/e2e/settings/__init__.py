"""End-to-end tests of settings."""
