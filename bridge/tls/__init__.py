"""Certificates and keys in files: when they expire, and that they are loaded again after a change."""
