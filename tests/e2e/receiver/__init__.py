"""End-to-end tests of receiver."""
