"""Unit tests of receiver."""
