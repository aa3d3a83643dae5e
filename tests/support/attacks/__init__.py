"""Hostile clients, as processes of their own, so that their work isn't the test's."""
