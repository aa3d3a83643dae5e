"""Reads a process's CPU time and memory from the kernel."""

import os
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")
_AFTER_NAME = 2
"""The process's name may contain anything and ends with a parenthesis; the fields are counted from there."""
_USER, _SYSTEM = 11, 12


def measure_cpu_seconds(pid: int) -> float:
    """Return the CPU time of all threads of a process, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[_AFTER_NAME].split()
    return (int(fields[_USER]) + int(fields[_SYSTEM])) / _TICK


def find_children(pid: int) -> list[int]:
    """Return the processes that a process has started."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def measure_rss_bytes(pid: int) -> int:
    """Return the resident memory of a process."""
    return _status(pid, "VmRSS")


def measure_folder_bytes(folder: Path) -> int:
    """Return the disk usage of a folder's files."""
    return sum(file.stat().st_blocks * 512 for file in folder.rglob("*") if file.is_file())


def _status(pid: int, name: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise LookupError(name)
