"""What can happen to a folder between a stop and a start. Synchronous; nobody runs in it meanwhile."""

import random
import shutil
from pathlib import Path

MOST_FILES = 3
CHUNK = 256
"""Bytes that are overwritten at a place."""


def delete(folder: Path, _chance: random.Random) -> str:
    """The disk is new."""
    shutil.rmtree(folder, ignore_errors=True)
    return "all files"


def truncate(folder: Path, chance: random.Random) -> str:
    """Some files end before their end, as after a lost machine."""
    files = _some(folder, chance)
    for path in files:
        size = path.stat().st_size
        with path.open("r+b") as file:
            file.truncate(int(size * chance.random()))
    return _names(files)


def overwrite(folder: Path, chance: random.Random) -> str:
    """Some files hold garbage at places, as on a failing disk."""
    files = _some(folder, chance)
    for path in files:
        size = path.stat().st_size
        with path.open("r+b") as file:
            for _ in range(chance.randint(1, 4)):
                file.seek(int(size * chance.random()))
                file.write(chance.randbytes(min(CHUNK, size)))
    return _names(files)


def _some(folder: Path, chance: random.Random) -> list[Path]:
    files = sorted(
        path for path in folder.rglob("*") if path.is_file() and path.stat().st_size and not path.name.startswith("LOG")
    )
    return chance.sample(files, min(len(files), chance.randint(1, MOST_FILES)))


def _names(files: list[Path]) -> str:
    return ", ".join(path.name for path in files) or "no files"
