"""Unit tests of journal."""
