"""Progress of long work, in the log: how much is left, how fast it goes, and when it will be done."""

import time
from collections.abc import Callable

import structlog

LOG_INTERVAL = 5.0
"""Seconds between two lines."""

log = structlog.get_logger(__name__)


class Progress:
    """Logs the progress of one piece of work; silent when that is short.

    Args:
        what: The work, for the log.
        partition: Of the journal.
        clock: Seconds, from anywhere.
    """

    def __init__(self, what: str, partition: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._what, self._partition, self._clock = what, partition, clock
        self.begin()

    def begin(self) -> None:
        """Start counting anew."""
        self._began = self._logged_at = self._clock()
        self._done = 0

    def advance(self, count: int, left: int) -> None:
        """Count what was done, and log now and then how much is left."""
        self._done += count
        now = self._clock()
        if now - self._logged_at < LOG_INTERVAL:
            return
        self._logged_at = now
        rate = self._done / (now - self._began)
        seconds = round(left / rate) if rate else None
        log.info(self._what, partition=self._partition, left=left, per_second=round(rate), seconds_left=seconds)
