"""End-to-end tests of kafka."""
