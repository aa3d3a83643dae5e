"""What the tests of the service stand on: its process, its topics, its providers, and the checks on all it writes."""
