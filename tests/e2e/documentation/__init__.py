"""End-to-end tests of documentation."""
