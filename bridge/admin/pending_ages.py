"""The ages of open messages: of those whose deadline is nearest; the rest is only counted.

The page asks now and then; the metric is set every minute.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from prometheus_client import Gauge

from bridge.clock import now_ms
from bridge.core.entries import AttemptKey
from bridge.core.errors import StoreCorruptedError
from bridge.core.schedule import HOUR, MINUTE
from bridge.state.ownership import OwnedPartitions
from bridge.state.partition import PartitionStore

MAX_ATTEMPTS = 20_000
"""Attempts that are looked at in all: some 0.2 s of work, in slices."""

MIN_PER_PARTITION = 500
"""Of each partition, however many there are."""

SLICE_ATTEMPTS = 200
MAX_AGE_SECONDS = 15.0
"""For which a count is good enough."""

METRIC_INTERVAL = 60.0
"""Seconds between two counts for the metric."""

AGE_GROUPS = (
    ("<1m", MINUTE),
    ("<10m", 10 * MINUTE),
    ("<1h", HOUR),
    ("<6h", 6 * HOUR),
    ("<24h", 24 * HOUR),
    ("older", 2**63),
)
"""By name, each with its bound in milliseconds, youngest first."""


class AgeCounts(NamedTuple):
    """Counts by provider and age group, and when they were made: seconds of a monotonic clock."""

    counts: Mapping[str, Mapping[str, int]]
    at: float


def find_age_group(milliseconds: int) -> str:
    """The name of an age's group."""
    return next(name for name, bound in AGE_GROUPS if milliseconds < bound)


class PendingAges:
    """Counts, but not often.

    Args:
        owned: The partitions of this process.
        providers: Whose attempts there may be.
        gauge: The metric, by provider and age group.
    """

    def __init__(self, owned: OwnedPartitions, providers: Iterable[str], gauge: Gauge) -> None:
        self._owned, self._providers, self._gauge = owned, frozenset(providers), gauge
        self._lock = asyncio.Lock()
        self._ages = AgeCounts({}, float("-inf"))
        self._set_metric()

    async def run(self) -> None:
        """Set the metric until cancelled."""
        while True:
            await self.count()
            await asyncio.sleep(METRIC_INTERVAL)

    async def count(self) -> Mapping[str, Mapping[str, int]]:
        """Open messages by provider and age group, at most `MAX_AGE_SECONDS` old."""
        async with self._lock:
            if time.monotonic() - self._ages.at > MAX_AGE_SECONDS:
                self._ages = AgeCounts(await self._count_all(), time.monotonic())
                self._set_metric()
            return self._ages.counts

    def _set_metric(self) -> None:
        for provider in self._providers:
            for name, _ in AGE_GROUPS:
                self._gauge.labels(provider, name).set(self._ages.counts.get(provider, {}).get(name, 0))

    async def _count_all(self) -> dict[str, dict[str, int]]:
        stores = [owned.store for owned in self._owned]
        limit = max(MIN_PER_PARTITION, MAX_ATTEMPTS // max(1, len(stores)))
        found: dict[str, Counter[str]] = {}
        for store in stores:
            try:
                await _count_store(store, limit, found)
            except StoreCorruptedError:
                continue  # taken away, or to be rebuilt
        return {provider: {name: counts[name] for name, _ in AGE_GROUPS} for provider, counts in sorted(found.items())}


async def _count_store(store: PartitionStore, limit: int, found: dict[str, Counter[str]]) -> None:
    after: tuple[int, str] | None = (0, "")
    now = now_ms()
    for _ in range(0, limit, SLICE_ATTEMPTS):
        if after is None:
            return
        waiting, after = store.pending(SLICE_ATTEMPTS, after)
        for key, state in waiting:
            group = find_age_group(now - state.starts_at)
            found.setdefault(AttemptKey.parse(key).provider, Counter())[group] += 1
        await asyncio.sleep(0)
