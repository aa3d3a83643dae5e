"""Measuring programs; no test depends on them."""
