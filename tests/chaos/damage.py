"""Damages a state folder while its bridge is stopped."""

import random
import shutil
from pathlib import Path

MAX_FILES = 3
CHUNK_BYTES = 256
"""How much is overwritten at a time."""


def delete(folder: Path, _rng: random.Random) -> str:
    """Delete everything, like a new disk."""
    shutil.rmtree(folder, ignore_errors=True)
    return "all files"


def truncate(folder: Path, rng: random.Random) -> str:
    """Truncate some files, like a machine that failed."""
    files = _choose_files(folder, rng)
    for path in files:
        size = path.stat().st_size
        with path.open("r+b") as file:
            file.truncate(int(size * rng.random()))
    return _format_names(files)


def overwrite(folder: Path, rng: random.Random) -> str:
    """Overwrite parts of some files with garbage, like a failing disk."""
    files = _choose_files(folder, rng)
    for path in files:
        size = path.stat().st_size
        with path.open("r+b") as file:
            for _ in range(rng.randint(1, 4)):
                file.seek(int(size * rng.random()))
                file.write(rng.randbytes(min(CHUNK_BYTES, size)))
    return _format_names(files)


def _choose_files(folder: Path, rng: random.Random) -> list[Path]:
    files = sorted(
        path for path in folder.rglob("*") if path.is_file() and path.stat().st_size and not path.name.startswith("LOG")
    )
    return rng.sample(files, min(len(files), rng.randint(1, MAX_FILES)))


def _format_names(files: list[Path]) -> str:
    return ", ".join(path.name for path in files) or "no files"
