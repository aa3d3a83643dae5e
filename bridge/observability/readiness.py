"""What a process's readiness depends on: parts register themselves, the probe and the status page read."""

import time
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from prometheus_client import Gauge

STARTED = "started"
"""What readiness depends on beside the parts: that the process has started."""


class PartStatus(NamedTuple):
    """A part that readiness depends on."""

    name: str
    ready: bool
    since_seconds: float
    """For how long it has been so, as far as anybody looked."""
    why: str
    """What it means when it isn't ready."""
    connected: bool = True
    """Whether Kafka answers it."""


class _Part(NamedTuple):
    check: Callable[[], bool]
    why: str
    is_connected: Callable[[], bool]

    @property
    def ready(self) -> bool:
        return self.check() and self.is_connected()


class Readiness:
    """The registry of parts.

    Args:
        gauge: The metric of each part's readiness.
        clock: Seconds, from anywhere.
    """

    def __init__(self, gauge: Gauge, clock: Callable[[], float] = time.monotonic) -> None:
        self._gauge, self._clock = gauge, clock
        self._parts: dict[str, _Part] = {}
        self._since: dict[str, tuple[bool, float]] = {}

    def add(
        self, name: str, check: Callable[[], bool], why: str, is_connected: Callable[[], bool] = lambda: True
    ) -> None:
        """Make readiness depend on a part.

        Args:
            name: The part.
            check: Whether it is ready.
            why: What it means when it isn't.
            is_connected: Whether Kafka answers it: without, it isn't ready.
        """
        part = self._parts[name] = _Part(check, why, is_connected)
        self._gauge.labels(name).set_function(lambda: part.ready)

    def check(self) -> Mapping[str, bool]:
        """Ask every part whether it is ready."""
        return {name: part.ready for name, part in self._parts.items()}

    def statuses(self) -> list[PartStatus]:
        """Ask every part, and tell since when its answer is the same."""
        return list(self._statuses())

    def _statuses(self) -> Iterator[PartStatus]:
        now = self._clock()
        for name, ready in self.check().items():
            if self._since.get(name, (None, 0.0))[0] is not ready:
                self._since[name] = (ready, now)
            part = self._parts[name]
            yield PartStatus(name, ready, round(now - self._since[name][1], 1), part.why, part.is_connected())
