"""End-to-end tests of sandbox."""
