# ruff: noqa: INP001 - Python looks for it as a module of its own
"""Python imports this module when it starts. It adds the number of seconds in a file to the clock."""

import mmap
import os
import struct
import time
from collections.abc import Callable
from pathlib import Path


def _patch_clock(file: Path) -> None:
    with file.open("r+b") as opened:
        seconds = mmap.mmap(opened.fileno(), 8)
    real_time: Callable[[], float] = time.time
    real_time_ns: Callable[[], int] = time.time_ns
    time.time = lambda: real_time() + struct.unpack("d", seconds)[0]
    time.time_ns = lambda: real_time_ns() + int(struct.unpack("d", seconds)[0] * 1e9)


if "CHAOS_CLOCK" in os.environ:
    _patch_clock(Path(os.environ["CHAOS_CLOCK"]))
