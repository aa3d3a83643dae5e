# ruff: noqa: INP001 - Python looks for it as a module of its own
"""Python reads this at its start: a machine whose clock is set wrong by as many seconds as stand in a file."""

import mmap
import os
import struct
import time
from collections.abc import Callable
from pathlib import Path


def _set_wrong(file: Path) -> None:
    with file.open("r+b") as opened:
        seconds = mmap.mmap(opened.fileno(), 8)
    wall: Callable[[], float] = time.time
    wall_ns: Callable[[], int] = time.time_ns
    time.time = lambda: wall() + struct.unpack("d", seconds)[0]
    time.time_ns = lambda: wall_ns() + int(struct.unpack("d", seconds)[0] * 1e9)


if "CHAOS_CLOCK" in os.environ:
    _set_wrong(Path(os.environ["CHAOS_CLOCK"]))
