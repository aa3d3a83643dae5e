"""Unit tests of certificates in files."""
