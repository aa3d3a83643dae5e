"""The status page: who may see it, what it says, and how it looks in a real browser."""
