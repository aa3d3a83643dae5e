"""End-to-end tests of tools."""
