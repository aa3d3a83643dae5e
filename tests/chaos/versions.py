"""The versions of the bridge that a run has: the one of this checkout, and for rolling updates that of another one."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from tests.chaos.access import Access


class Version(NamedTuple):
    """A version of the bridge."""

    checkout: Path
    python: str
    """The interpreter of its virtual environment."""
    login: Mapping[str, str]
    """The settings with which it logs in to Kafka."""

    def __str__(self) -> str:
        return str(self.checkout)


def find_python(checkout: Path) -> Path:
    """Return where the interpreter of a checkout is after `make setup`."""
    return checkout / ".venv" / "bin" / "python"


def list_versions(other: Path | None, access: Access) -> tuple[Version, ...]:
    """Return this version, and the other one if there is one. That one may not know tokens yet.

    Args:
        other: The folder of another checkout.
        access: How bridges log in.
    """
    this = Version(Path(__file__).resolve().parents[2], sys.executable, access.token_settings)
    return (this,) if other is None else (this, Version(other, str(find_python(other)), access.password_settings))
