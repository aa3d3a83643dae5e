"""The HTTP server. Handlers get and return plain values, so that they don't depend on it. It has no routes."""
