"""The error of a machine's clock, kept in a file that `clock/sitecustomize.py` reads."""

import struct
from pathlib import Path


class Clock:
    """The clock of one bridge's machine.

    Args:
        file: The path of the file with its error.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(bytes(8))

    def make_variables(self, checkout: Path) -> dict[str, str]:
        """Return the environment variables for a process on that machine.

        Args:
            checkout: The folder that the process takes its code from.
        """
        patch = Path(__file__).resolve().parent / "clock"
        return {"PYTHONPATH": f"{patch}:{checkout}", "CHAOS_CLOCK": str(self._file)}

    def set(self, seconds: float) -> None:
        """Set the error."""
        with self._file.open("r+b") as opened:  # not a new file: the processes have mapped this one
            opened.write(struct.pack("d", seconds))
