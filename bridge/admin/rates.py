"""Rates of the last minutes, from counts that are sampled every few seconds and kept in memory only."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

SAMPLE_INTERVAL = 5.0
"""Seconds between two samples: taken whether anybody looks or not, so that the page shows the last minutes at once."""

MAX_SAMPLES = 121
"""Ten minutes of them."""

MAX_POINTS = 40
"""Of a curve: with every sample it is all noise."""

MIN_RATE_SECONDS = 1.0
"""A rate over less says nothing."""

Counts = Mapping[tuple[str, ...], int]
"""Counts that only grow, by what tells them apart."""


class Sample(NamedTuple):
    """All counts at a time, in seconds of a monotonic clock."""

    at: float
    counts: Mapping[str, Counts]


class RateHistory:
    """The last samples of a process.

    Args:
        read_counts: Reads all counts, by name.
    """

    def __init__(self, read_counts: Callable[[], Mapping[str, Counts]]) -> None:
        self._read_counts = read_counts
        self._samples: deque[Sample] = deque(maxlen=MAX_SAMPLES)

    async def run(self) -> None:
        """Take samples until cancelled."""
        while True:
            self._samples.append(self._sample())
            await asyncio.sleep(SAMPLE_INTERVAL)

    def samples(self) -> tuple[Sample, ...]:
        """The kept samples and one of this moment, in order."""
        return (*self._samples, self._sample())

    def _sample(self) -> Sample:
        return Sample(time.monotonic(), self._read_counts())


def measure_growth(samples: Sequence[Sample], name: str, seconds: float) -> tuple[dict[tuple[str, ...], int], float]:
    """By how much counts grew over the last so many seconds, and over how many it really was.

    Args:
        samples: In order.
        name: Which counts.
        seconds: How far to look back; less where there is less.
    """
    if not samples:
        return {}, 0.0
    last = samples[-1]
    first = next(sample for sample in samples if sample.at >= last.at - seconds)
    before = first.counts.get(name, {})
    return {key: count - before.get(key, 0) for key, count in last.counts.get(name, {}).items()}, last.at - first.at


def measure_rate(samples: Sequence[Sample], name: str, select: Callable[[tuple[str, ...]], bool]) -> float | None:
    """How fast the selected counts grew over the last minute, a minute; None when that can't be told yet."""
    growth, seconds = measure_growth(samples, name, 60)
    return round(60 * sum_counts(growth, select) / seconds, 1) if seconds >= MIN_RATE_SECONDS else None


def sum_counts(counts: Counts, select: Callable[[tuple[str, ...]], bool]) -> int:
    """Add up the selected counts."""
    return sum(count for key, count in counts.items() if select(key))


def make_curve(samples: Sequence[Sample], name: str, select: Callable[[tuple[str, ...]], bool]) -> list[float]:
    """The selected counts' rates, a minute, over the last minutes: a curve of at most some forty points."""
    kept = samples[:: max(1, len(samples) // MAX_POINTS)]
    sums = [(sample.at, sum_counts(sample.counts.get(name, {}), select)) for sample in kept]
    # The last sample was taken out of turn, and may be too near to the one before to say anything.
    return [
        round(60 * (after - before) / (then - at), 1)
        for (at, before), (then, after) in pairwise(sums)
        if then - at > SAMPLE_INTERVAL / 2
    ]
