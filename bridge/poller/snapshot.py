"""How the polling of an account goes: what the status page shows of it."""

from collections.abc import Mapping
from typing import NamedTuple


class AccountPollSnapshot(NamedTuple):
    """One account's polling at one moment."""

    provider: str
    account: str
    paused_seconds: float
    """Until polling goes on; 0: it isn't paused."""
    failures: int
    """In a row."""
    credentials_refused: bool
    due: int
    completed: Mapping[str, int]
    """Polls of this process, by outcome."""
