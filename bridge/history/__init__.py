"""What the topics hold about a message, read and folded again: for `trace` and for the status page."""
