"""The test suite. A failing test means that a user would notice."""
