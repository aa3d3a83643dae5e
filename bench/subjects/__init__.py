"""One file for each thing that is measured; each takes a `Run` and returns what it found."""
