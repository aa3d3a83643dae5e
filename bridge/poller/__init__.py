"""The third way in: due attempts are looked up at their provider, and new reports become journal entries."""
