"""End-to-end tests of intake."""
