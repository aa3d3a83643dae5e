"""Whether a provider's clock hangs in another zone than settings say: its times are whole hours off, again and again.

A single report may come late, and then its time is long ago; nobody's reports are all late by the same whole hours.
"""

from collections import Counter, deque

SAMPLE = 20
"""Reports in a row that have to agree."""

AGREE = 0.9
"""The share of them that does."""

NEAR = 10 * 60.0
"""Seconds around a whole hour that count as it: reports take their time."""

HOUR = 3600.0
FARTHEST = 14
"""Hours; no zone is farther from UTC."""


class ClockSkewDetector:
    """One account's clock as its callbacks show it."""

    def __init__(self) -> None:
        self._hours: deque[int] = deque()
        self._counts: Counter[int] = Counter()
        """Of the last reports, how many were off by so many hours."""
        self._told = False

    def observe(self, seconds: float) -> int | None:
        """Take a report whose time is so many seconds after ours; by how many hours the clock is off, told once.

        It is told again when the clock was right in between.
        """
        hours = round(seconds / HOUR)
        off = hours if abs(seconds - hours * HOUR) <= NEAR and abs(hours) <= FARTHEST else 0
        self._hours.append(off)
        self._counts[off] += 1
        if len(self._hours) > SAMPLE:
            self._forget(self._hours.popleft())
        if len(self._hours) < SAMPLE:
            return None
        likely = max(self._counts, key=self._counts.__getitem__)
        if likely == 0 or self._counts[likely] < AGREE * SAMPLE:
            self._told = self._told and likely != 0
            return None
        told, self._told = self._told, True
        return None if told else likely

    def _forget(self, off: int) -> None:
        self._counts[off] -= 1
        if not self._counts[off]:
            del self._counts[off]
