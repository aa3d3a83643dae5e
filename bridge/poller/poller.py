"""Polls the due attempts of every account that is polled, in the partitions that this process owns."""

import asyncio
from collections.abc import Callable, Mapping

from bridge.core.attempt import Followed
from bridge.core.entries import extract_full_account
from bridge.poller.account_poller import AccountPoller
from bridge.poller.snapshot import AccountPollSnapshot
from bridge.state.keys import StoredAttempt

MAX_DEADLINE_DELAY_MS = 15 * 60_000
"""How long an attempt's deadline waits for its last poll if an outage of this service has delayed that poll."""


class Poller:
    """Runs the accounts' pollers.

    Args:
        pollers: By `provider:account`.
        clock: Milliseconds since the epoch, without jumps.
    """

    def __init__(self, pollers: Mapping[str, AccountPoller], clock: Callable[[], int]) -> None:
        self._pollers = pollers
        self._started_at = clock()

    async def run(self) -> None:
        """Poll until cancelled."""
        async with asyncio.TaskGroup() as group:
            for poller in self._pollers.values():
                group.create_task(poller.run())
            await asyncio.Event().wait()

    def has_pending_poll(self, key: str, known: StoredAttempt, now: int) -> bool:
        """Whether the deadline must wait for a poll that an outage of this service has delayed."""
        poller = self._pollers.get(extract_full_account(key))
        if poller is None or not isinstance(known.state, Followed) or known.state.final_at is not None:
            return False
        latest = max(known.state.ends_at, self._started_at) + MAX_DEADLINE_DELAY_MS
        return now < latest and poller.has_pending_poll(key, known)

    def snapshot(self) -> list[AccountPollSnapshot]:
        """How polling goes now, by account."""
        return [poller.snapshot() for poller in self._pollers.values()]
