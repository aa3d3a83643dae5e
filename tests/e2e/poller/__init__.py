"""End-to-end tests of poller."""
