"""How old the attempts are that wait for their end: those whose end is nearest; the rest is only counted.

The page asks now and then, and a metric is told all the time.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable
from typing import NamedTuple, Protocol

from prometheus_client import Gauge

from bridge.core.errors import StoreCorruptedError
from bridge.state.partition import PartitionStore

MOST = 20_000
"""Attempts that are looked at in all: some 0.2 s of work, in slices."""

LEAST_EACH = 500
"""Of each partition, however many there are."""

SLICE = 200
FRESH = 15.0
"""Seconds for which a count is good enough."""

TOLD_EVERY = 60.0
"""Seconds between two counts for the metric."""

MINUTE, HOUR = 60_000, 3_600_000
AGES = (
    ("<1m", MINUTE),
    ("<10m", 10 * MINUTE),
    ("<1h", HOUR),
    ("<6h", 6 * HOUR),
    ("<24h", 24 * HOUR),
    ("older", 2**63),
)
"""What they are told apart by, youngest first; milliseconds."""


class StoreOwner(Protocol):
    """Who owns a partition, as far as it matters here."""

    attempts: PartitionStore


class AgeCounts(NamedTuple):
    """A count by provider and age, and when it was made: seconds of a monotonic clock."""

    counts: dict[str, dict[str, int]]
    at: float


def age_of(milliseconds: int) -> str:
    """Which kind of age it is."""
    return next(name for name, most in AGES if milliseconds < most)


class PendingAges:
    """Counts, but not often.

    Args:
        owners: The partitions that this process owns now.
        providers: Whose attempts there may be.
        gauge: By provider and age, for the metric.
    """

    def __init__(self, owners: Callable[[], Iterable[StoreOwner]], providers: Iterable[str], gauge: Gauge) -> None:
        self._owners, self._providers, self._gauge = owners, frozenset(providers), gauge
        self._one = asyncio.Lock()
        self._ages = AgeCounts({}, float("-inf"))
        self._tell()

    async def run(self) -> None:
        """Tell the metric until cancelled."""
        while True:
            await self.ages()
            await asyncio.sleep(TOLD_EVERY)

    async def ages(self) -> AgeCounts:
        """The count, at most `FRESH` seconds old."""
        async with self._one:
            if time.monotonic() - self._ages.at > FRESH:
                self._ages = AgeCounts(await self._count(), time.monotonic())
                self._tell()
            return self._ages

    def _tell(self) -> None:
        for provider in self._providers:
            for age, _ in AGES:
                self._gauge.labels(provider, age).set(self._ages.counts.get(provider, {}).get(age, 0))

    async def _count(self) -> dict[str, dict[str, int]]:
        owners = list(self._owners())
        most = max(LEAST_EACH, MOST // max(1, len(owners)))
        found: dict[str, Counter[str]] = {}
        for owner in owners:
            try:
                await _count_some(owner.attempts, most, found)
            except StoreCorruptedError:
                continue  # taken away, or to be built anew
        return {provider: {name: counts[name] for name, _ in AGES} for provider, counts in sorted(found.items())}


async def _count_some(attempts: PartitionStore, most: int, found: dict[str, Counter[str]]) -> None:
    place: tuple[int, str] | None = (0, "")
    now = time.time_ns() // 1_000_000
    for _ in range(0, most, SLICE):
        if place is None:
            return
        waiting, place = attempts.pending(SLICE, place)
        for key, state in waiting:
            found.setdefault(key.partition(":")[0], Counter())[age_of(now - state.starts_at)] += 1
        await asyncio.sleep(0)
