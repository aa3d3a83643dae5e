"""End-to-end tests of helm."""
