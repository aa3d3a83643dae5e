"""Numbers of the process over the last minutes: its counters, looked at every few seconds, in memory only."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from bridge.observability.metrics import Metrics

EVERY = 5.0
"""Seconds between two samples: taken whether anybody looks or not, so that whoever looks sees the last minutes."""

KEPT = 121
"""Samples, ten minutes of them."""

POINTS = 40
"""Of a curve: with every sample it is all noise."""

COUNTERS = ("callbacks_received", "polls_completed", "deliveries_published", "dead_letters_written", "sent_accepted")

Values = Mapping[tuple[str, ...], float]
"""By the values of a metric's labels, in their order."""


class Sample(NamedTuple):
    """The counters at a time, in seconds of a monotonic clock."""

    at: float
    counts: Mapping[str, Values]


def read_values(metric: Any) -> Values:
    """A counter's or gauge's numbers."""
    return {
        tuple(sample.labels.values()): sample.value
        for family in metric.collect()
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


class RateHistory:
    """The last samples of a process."""

    def __init__(self, metrics: Metrics, observe: Callable[[], None]) -> None:
        self._metrics, self._observe = metrics, observe
        self._kept: deque[Sample] = deque(maxlen=KEPT)

    async def run(self) -> None:
        """Take them until cancelled."""
        while True:
            self._kept.append(self.now())
            self._observe()
            await asyncio.sleep(EVERY)

    def now(self) -> Sample:
        """One more, of this moment."""
        return Sample(time.monotonic(), {name: read_values(getattr(self._metrics, name)) for name in COUNTERS})

    def all(self) -> tuple[Sample, ...]:
        """The kept ones and one of this moment, in order."""
        return (*self._kept, self.now())


def measure_growth(samples: Sequence[Sample], name: str, seconds: float) -> tuple[dict[tuple[str, ...], float], float]:
    """By how much a counter grew over the last so many seconds, and over how many it really was.

    Args:
        samples: In order.
        name: The counter.
        seconds: How far to look back; less where there is less.
    """
    if not samples:
        return {}, 0.0
    last = samples[-1]
    first = next(sample for sample in samples if sample.at >= last.at - seconds)
    before = first.counts.get(name, {})
    return {key: value - before.get(key, 0.0) for key, value in last.counts.get(name, {}).items()}, last.at - first.at


def per_minute(samples: Sequence[Sample], name: str, wanted: Callable[[tuple[str, ...]], bool]) -> float | None:
    """How fast a counter grew over the last minute; None when that can't be told yet."""
    found, seconds = measure_growth(samples, name, 60)
    return round(60 * sum_values(found, wanted) / seconds, 1) if seconds >= 1 else None


def sum_values(counts: Values, wanted: Callable[[tuple[str, ...]], bool]) -> float:
    """The sum of what is wanted."""
    return sum(value for key, value in counts.items() if wanted(key))


def make_course(samples: Sequence[Sample], name: str, wanted: Callable[[tuple[str, ...]], bool]) -> list[float]:
    """How a counter grew, a minute's worth each: a curve of the last minutes, in at most some forty points."""
    kept = samples[:: max(1, len(samples) // POINTS)]
    sums = [(sample.at, sum_values(sample.counts.get(name, {}), wanted)) for sample in kept]
    # The last one was taken out of turn, and may be too near to the one before to say anything.
    return [round(60 * (b - a) / (then - at), 1) for (at, a), (then, b) in pairwise(sums) if then - at > EVERY / 2]
