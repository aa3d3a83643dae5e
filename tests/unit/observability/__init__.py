"""Unit tests of observability."""
