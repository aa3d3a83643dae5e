"""What the log says while something takes long: how much is left, how fast it goes, and when it will be over."""

import time
from collections.abc import Callable

import structlog

SAY_EVERY = 5.0
"""Seconds between two lines."""

log = structlog.get_logger(__name__)


class Progress:
    """One long way: silent when it is short.

    Args:
        what: What goes on, for the log.
        partition: Of the journal.
        clock: Seconds, from anywhere.
    """

    def __init__(self, what: str, partition: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._what, self._partition, self._clock = what, partition, clock
        self.begin()

    def begin(self) -> None:
        """From here on: what was done before doesn't count."""
        self._began = self._said = self._clock()
        self._done = 0

    def made(self, count: int, left: int) -> None:
        """So much more was done, and so much is left."""
        self._done += count
        now = self._clock()
        if now - self._said < SAY_EVERY:
            return
        self._said = now
        rate = self._done / (now - self._began)
        seconds = round(left / rate) if rate else None
        log.info(self._what, partition=self._partition, left=left, per_second=round(rate), seconds_left=seconds)
