"""Support for tests: a Kubernetes without nodes."""
