"""What one run of the benchmarks shares: a broker, a folder, how much is measured, and where progress is shown."""

import os
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from bench.kafka import Cluster


class Run(NamedTuple):
    """Handed to every subject."""

    cluster: Cluster
    folder: Path
    rounds: int
    scale: float
    """What numbers of records are multiplied by."""
    whole: bool
    """Whether all of it is measured at full scale, so that the docs are to be written."""
    long: bool
    """Whether what takes tens of minutes is measured too."""
    show: Callable[[str], None]

    def scaled(self, number: int) -> int:
        """A number of records in this run."""
        return max(2_000, int(number * self.scale))


Subject = Callable[[Run], Awaitable[Mapping[str, Any]]]
"""Measures something; what it found, as JSON."""


def machine() -> dict[str, Any]:
    """Where it was measured."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        "unknown",
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {"processor": model, "cores": os.cpu_count(), "memory_gb": round(memory / 2**30)}
