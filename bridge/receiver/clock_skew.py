"""Detects timestamps that are consistently off by whole hours: a wrong time-zone setting.

One report may come late, and then its time is long ago; nobody's reports are all late by the same whole hours.
"""

from collections import Counter, deque

import structlog
from prometheus_client import Gauge

from bridge.accounts import ProviderAccount

SAMPLE_SIZE = 20
"""Reports in a row that have to agree."""

MIN_AGREEMENT = 0.9
"""The share of them that does."""

TOLERANCE_SECONDS = 10 * 60.0
"""Around a whole hour: reports take their time."""

HOUR_SECONDS = 3600.0
MAX_HOURS = 14
"""No time zone is farther from UTC."""

log = structlog.get_logger(__name__)


class ClockSkewDetector:
    """One account's clock, as its callbacks show it."""

    def __init__(self) -> None:
        self._hours: deque[int] = deque()
        self._counts: Counter[int] = Counter()
        """Of the last reports, how many were off by so many hours."""
        self._reported = False

    def observe(self, seconds: float) -> int | None:
        """Take a report whose time is so many seconds after ours.

        Returns:
            By how many hours the clock is off; once, and again after it was right in between.
        """
        hours = round(seconds / HOUR_SECONDS)
        near = abs(seconds - hours * HOUR_SECONDS) <= TOLERANCE_SECONDS and abs(hours) <= MAX_HOURS
        off = hours if near else 0
        self._hours.append(off)
        self._counts[off] += 1
        if len(self._hours) > SAMPLE_SIZE:
            self._forget(self._hours.popleft())
        if len(self._hours) < SAMPLE_SIZE:
            return None
        likely = max(self._counts, key=self._counts.__getitem__)
        if likely == 0 or self._counts[likely] < MIN_AGREEMENT * SAMPLE_SIZE:
            self._reported = self._reported and likely != 0
            return None
        reported, self._reported = self._reported, True
        return None if reported else likely

    def _forget(self, off: int) -> None:
        self._counts[off] -= 1
        if not self._counts[off]:
            del self._counts[off]


class ProviderClocks:
    """Compares the clocks of all accounts with ours.

    Args:
        gauge: The metric of the last difference, by provider, in seconds.
    """

    def __init__(self, gauge: Gauge) -> None:
        self._gauge = gauge
        self._detectors: dict[tuple[str, str], ClockSkewDetector] = {}

    def compare(self, account: ProviderAccount, provider_time: int | None, now: int) -> None:
        """Compare a report's time with ours; both in milliseconds since the epoch."""
        if provider_time is None:
            return
        seconds = (provider_time - now) / 1000
        self._gauge.labels(account.provider).set(seconds)
        detector = self._detectors.setdefault((account.provider, account.name), ClockSkewDetector())
        hours = detector.observe(seconds)
        if hours is not None:
            log.warning(
                "provider's times are off by whole hours: set its time zone",
                provider=account.provider,
                account=account.name,
                hours=hours,
                setting=account.variable("TIMEZONE"),
            )
