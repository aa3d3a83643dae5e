"""Integration tests of journal."""
