"""What documentation shows works as it is shown."""
