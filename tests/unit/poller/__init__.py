"""Unit tests of poller."""
