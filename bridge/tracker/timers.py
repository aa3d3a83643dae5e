"""One partition's timers: attempts that end, are forgotten, or were parked for too long."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from aiokafka.errors import KafkaError

from bridge.core.attempt import Followed
from bridge.state.keys import StoredAttempt
from bridge.state.partition import PartitionStore
from bridge.tracker.batch import Batch

MOST = 1_000
"""The most timers of a kind that run out together."""

PUT_OFF, LONGEST_PUT_OFF = 1_000, 15_000
"""Milliseconds until a timer that was put off is looked at again: as long as it is overdue, within these."""

ANSWER_WITHIN = 2.0
"""Seconds for a broker to say where the journal ends."""


class ExpiredTimers(NamedTuple):
    """Timers whose time is up. They count once the journal is folded up to where it ended after that."""

    at: int
    keys: list[str]
    end: int


class Timers:
    """Lets one partition's timers run out.

    What the journal says of an attempt counts before its end does. So where the journal ends is asked for when the time
    is up, and never taken from what was told before: this process may have slept since.

    Args:
        attempts: The partition's attempts.
        clock: Milliseconds since the epoch, without jumps.
        owed: Whether a poll about an attempt comes first.
        park_max: How many attempts may be parked.
        journal_end: Asks for the journal's end.
    """

    def __init__(
        self,
        attempts: PartitionStore,
        clock: Callable[[], int],
        owed: Callable[[str, StoredAttempt, int], bool],
        park_max: int,
        journal_end: Callable[[], Awaitable[int]],
    ) -> None:
        self._attempts, self._clock, self._owed = attempts, clock, owed
        self._park_max, self._journal_end = park_max, journal_end
        self._run_out: ExpiredTimers | None = None

    def begin_again(self) -> None:
        """Forget what had run out: the partition was somebody else's meanwhile."""
        self._run_out = None

    async def run(self, batch: Batch, offset: int) -> None:
        """Let run out in this batch what may, and give up what is parked beyond measure.

        Args:
            batch: The transaction to be.
            offset: Up to where the journal is folded.
        """
        if self._run_out is None:
            self._run_out = await self._due(batch)
        if self._run_out is None or offset < self._run_out.end:
            return
        at, keys, _ = self._run_out
        self._run_out = None
        known = zip(keys, self._attempts.get(keys), strict=True)
        batch.expire([key for key, one in known if one and one.timer <= at], at)
        excess = self._attempts.parked - self._park_max
        if excess > 0:
            batch.overflow(self._attempts.oldest_parked(min(excess, MOST // 10)))

    async def _due(self, batch: Batch) -> ExpiredTimers | None:
        now = self._clock()
        keys = self._attempts.due(now, MOST)
        known = zip(keys, self._attempts.get(keys), strict=True)
        owed = {key: _later(one, now) for key, one in known if one and self._owed(key, one, now)}
        # What has changed in this batch gets another timer anyway.
        self._attempts.put_off({key: until for key, until in owed.items() if not batch.holds(key)})
        keys = [key for key in keys if key not in owed]
        if not keys and self._attempts.parked <= self._park_max:
            return None
        try:
            async with asyncio.timeout(ANSWER_WITHIN):
                return ExpiredTimers(now, keys, await self._journal_end())
        except (TimeoutError, KafkaError):
            return None  # they wait; that the broker is away shows where something is to be written


def _later(known: StoredAttempt, now: int) -> int:
    overdue = now - known.state.ends_at if isinstance(known.state, Followed) else 0
    return now + min(LONGEST_PUT_OFF, max(PUT_OFF, overdue))
