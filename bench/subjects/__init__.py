"""One file per subject; each takes a `Run` and returns its results."""
