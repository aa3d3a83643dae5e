"""Unit tests of state."""
