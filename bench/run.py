"""What the subjects of one run share: the broker, a folder, the amount of work and the progress output."""

import os
import subprocess
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from bench.kafka import Cluster
from bench.toolchain import BRIDGE_PYTHON, find_python


class Run(NamedTuple):
    """Passed to every subject."""

    cluster: Cluster
    folder: Path
    rounds: int
    scale: float
    """Numbers of records are multiplied by it."""
    whole: bool
    """Whether every subject is measured at full scale, so that the docs are written."""
    long: bool
    """Whether to measure what takes tens of minutes as well."""
    show: Callable[[str], None]

    def scale_count(self, number: int) -> int:
        """Return a number of records multiplied by the scale."""
        return max(2_000, int(number * self.scale))


Subject = Callable[[Run], Awaitable[Mapping[str, Any]]]
"""Measures a subject and returns its results as JSON."""


def describe_machine() -> dict[str, Any]:
    """Return the machine's processor, cores and memory, and the version of Python that the bridge runs on."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        "unknown",
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    command = find_python(BRIDGE_PYTHON), "--version"
    python = subprocess.check_output(command, text=True).strip()  # noqa: S603 - our own command
    return {"processor": model, "cores": os.cpu_count(), "memory_gb": round(memory / 2**30), "python": python}
