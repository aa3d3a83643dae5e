"""Expires one partition's timers: deadlines of attempts, the end of their retention, parking for too long."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from aiokafka.errors import KafkaError

from bridge.core.attempt import Followed
from bridge.state.keys import StoredAttempt
from bridge.state.partition import PartitionStore
from bridge.tracker.batch import Batch

MIN_PUT_OFF_MS, MAX_PUT_OFF_MS = 1_000, 15_000
"""How long a timer is put off: as long as it is overdue, within these limits."""

JOURNAL_END_TIMEOUT = 2.0
"""Seconds to wait for a broker to tell the journal's end."""


class TimerRules(NamedTuple):
    """The rules that all partitions' timers share."""

    clock: Callable[[], int]
    """Returns milliseconds since the epoch, without jumps."""
    has_pending_poll: Callable[[str, StoredAttempt, int], bool]
    """Tells whether a poll of an attempt must come before its deadline."""
    park_max: int
    """How many attempts a partition may park."""


class ExpiredTimers(NamedTuple):
    """Expired timers. They take effect once the journal is folded up to `journal_end`."""

    at: int
    keys: list[str]
    journal_end: int


class Timers:
    """Expires one partition's timers.

    Entries that were journaled before a deadline count before it. So the journal's end is fetched when a timer expires,
    never taken from an earlier answer: this process may have been suspended since.

    Args:
        store: The partition's attempts.
        rules: The rules of the timers.
    """

    def __init__(self, store: PartitionStore, rules: TimerRules) -> None:
        self._store = store
        self._clock, self._has_pending_poll, self._park_max = rules
        self._expired: ExpiredTimers | None = None

    def reset(self) -> None:
        """Forget expired timers: another process may have owned the partition meanwhile."""
        self._expired = None

    async def run(self, batch: Batch, offset: int, limit: int, fetch_journal_end: Callable[[], Awaitable[int]]) -> None:
        """Expire timers in this batch, and discard the oldest parked attempts beyond the limit.

        Args:
            batch: The batch to add to.
            offset: The journal offset up to which entries are folded.
            limit: The most timers to expire.
            fetch_journal_end: Asks Kafka for the journal's end.
        """
        if self._expired is None:
            self._expired = await self._find_expired(batch, limit, fetch_journal_end)
        if self._expired is None or offset < self._expired.journal_end:
            return
        at, keys, _ = self._expired
        self._expired = None
        known = zip(keys, self._store.get(keys), strict=True)
        batch.expire([key for key, one in known if one and one.timer <= at], at)
        excess = self._store.parked - self._park_max
        if excess > 0:
            batch.overflow(self._store.oldest_parked(min(excess, max(1, limit // 10))))

    async def _find_expired(
        self, batch: Batch, limit: int, fetch_journal_end: Callable[[], Awaitable[int]]
    ) -> ExpiredTimers | None:
        now = self._clock()
        keys = self._store.due(now, limit)[:limit]
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
