"""What is read from the providers, and what they are asked."""
