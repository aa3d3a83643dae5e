"""One partition's timers: attempts that reach their deadline, are forgotten, or were parked for too long."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from aiokafka.errors import KafkaError

from bridge.core.attempt import Followed
from bridge.state.keys import StoredAttempt
from bridge.state.partition import PartitionStore
from bridge.tracker.batch import Batch

MAX_EXPIRED = 1_000
"""The most timers of a kind that run out in one batch."""

MIN_PUT_OFF_MS, MAX_PUT_OFF_MS = 1_000, 15_000
"""Until a timer that was put off is looked at again: as long as it is overdue, within these bounds."""

JOURNAL_END_TIMEOUT = 2.0
"""Seconds for a broker to say where the journal ends."""


class TimerRules(NamedTuple):
    """What every partition's timers go by."""

    clock: Callable[[], int]
    """Milliseconds since the epoch, without jumps."""
    has_pending_poll: Callable[[str, StoredAttempt, int], bool]
    """Whether a poll of an attempt must come before its deadline."""
    park_max: int
    """How many attempts may be parked in a partition."""


class ExpiredTimers(NamedTuple):
    """Timers whose time is up. They count once the journal is folded up to where it ended after that."""

    at: int
    keys: list[str]
    journal_end: int


class Timers:
    """Lets one partition's timers run out.

    What the journal says of an attempt counts before its deadline does. So the journal's end is asked for when the time
    is up, and never taken from an earlier answer: this process may have slept since.

    Args:
        store: The partition's attempts.
        rules: What they go by.
    """

    def __init__(self, store: PartitionStore, rules: TimerRules) -> None:
        self._store = store
        self._clock, self._has_pending_poll, self._park_max = rules
        self._expired: ExpiredTimers | None = None

    def reset(self) -> None:
        """Forget what had run out: another process owned the partition meanwhile."""
        self._expired = None

    async def run(self, batch: Batch, offset: int, fetch_journal_end: Callable[[], Awaitable[int]]) -> None:
        """Let timers run out in this batch, and give up the oldest parked attempts beyond the limit.

        Args:
            batch: The transaction to be.
            offset: Up to where the journal is folded.
            fetch_journal_end: Asks Kafka for the journal's end.
        """
        if self._expired is None:
            self._expired = await self._find_expired(batch, fetch_journal_end)
        if self._expired is None or offset < self._expired.journal_end:
            return
        at, keys, _ = self._expired
        self._expired = None
        known = zip(keys, self._store.get(keys), strict=True)
        batch.expire([key for key, one in known if one and one.timer <= at], at)
        excess = self._store.parked - self._park_max
        if excess > 0:
            batch.overflow(self._store.oldest_parked(min(excess, MAX_EXPIRED // 10)))

    async def _find_expired(
        self, batch: Batch, fetch_journal_end: Callable[[], Awaitable[int]]
    ) -> ExpiredTimers | None:
        now = self._clock()
        keys = self._store.due(now, MAX_EXPIRED)
        known = zip(keys, self._store.get(keys), strict=True)
        waiting = {key: _put_off_until(one, now) for key, one in known if one and self._has_pending_poll(key, one, now)}
        # What has changed in this batch gets another timer anyway.
        self._store.put_off({key: until for key, until in waiting.items() if not batch.holds(key)})
        keys = [key for key in keys if key not in waiting]
        if not keys and self._store.parked <= self._park_max:
            return None
        try:
            async with asyncio.timeout(JOURNAL_END_TIMEOUT):
                return ExpiredTimers(now, keys, await fetch_journal_end())
        except (TimeoutError, KafkaError):
            return None  # they wait; that the broker is away shows where something is to be written


def _put_off_until(known: StoredAttempt, now: int) -> int:
    overdue = now - known.state.ends_at if isinstance(known.state, Followed) else 0
    return now + min(MAX_PUT_OFF_MS, max(MIN_PUT_OFF_MS, overdue))
