"""The sandbox itself: if it lies or leaks, every other test does."""
