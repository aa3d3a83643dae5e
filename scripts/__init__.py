"""Generators of files in this repository, and tests of the image; run by make, never by the service."""
