"""Unit tests of concurrency."""
