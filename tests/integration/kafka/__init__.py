"""Integration tests of kafka."""
