"""A histogram of Prometheus that takes many values at once."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable
from typing import Any

from prometheus_client import Histogram
from prometheus_client.samples import Sample

MAX_UNCOUNTED = 1000
"""Values that wait to be counted together."""


class BatchHistogram(Histogram):
    """A histogram that counts values in batches, at the latest when it is read; it is for one thread.

    A value takes 0.2 instead of 0.9 microseconds. Exemplars aren't kept.
    """

    _upper_bounds: list[float]
    _buckets: list[Any]

    def _metric_init(self) -> None:
        super()._metric_init()
        self._uncounted: list[float] = []

    def observe(self, amount: float, exemplar: dict[str, str] | None = None) -> None:  # noqa: ARG002
        """Observe an amount."""
        self.observe_all((amount,))

    def observe_all(self, amounts: Iterable[float]) -> None:
        """Observe all of these amounts."""
        self._uncounted += amounts
        if len(self._uncounted) >= MAX_UNCOUNTED:
            self._count()

    def _count(self) -> None:
        amounts, self._uncounted = self._uncounted, []
        for bucket, count in Counter([bisect_left(self._upper_bounds, amount) for amount in amounts]).items():
            self._buckets[bucket].inc(count)
        self._sum.inc(sum(amounts))

    def _child_samples(self) -> Iterable[Sample]:
        self._count()
        return super()._child_samples()
