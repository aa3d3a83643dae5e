"""Unit tests of documentation."""
