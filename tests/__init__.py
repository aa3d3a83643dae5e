"""The suite: what a user would miss if it broke."""
