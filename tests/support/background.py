"""How a shell starts a background job: SIGINT is ignored, and the process inherits that."""

IN_BACKGROUND = ("sh", "-c", "trap '' INT; exec \"$@\"", "sh")
"""What comes before a command."""
