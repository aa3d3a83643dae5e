"""Unit tests of chaos."""
