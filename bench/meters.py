"""What a process uses, as the kernel counts it: CPU time, memory. Only reads."""

import os
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")
_AFTER_NAME = 2
"""The process's name may hold anything but ends with a parenthesis; counted from there, the state is field 0."""
_USER, _SYSTEM = 11, 12


def cpu_seconds(pid: int) -> float:
    """CPU time that a process has used, all its threads, user and system, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[_AFTER_NAME].split()
    return (int(fields[_USER]) + int(fields[_SYSTEM])) / _TICK


def rss_bytes(pid: int) -> int:
    """Memory that a process holds, in bytes."""
    return _status(pid, "VmRSS")


def folder_bytes(folder: Path) -> int:
    """What the files of a folder take on disk."""
    return sum(file.stat().st_blocks * 512 for file in folder.rglob("*") if file.is_file())


def _status(pid: int, name: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise LookupError(name)
