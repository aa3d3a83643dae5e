"""What a release consists of: packages, the list of what is in them, and the workflow that publishes them."""
