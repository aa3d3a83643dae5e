"""Detects timestamps that are consistently off by whole hours: a wrong time-zone setting.

A single report may be late, so that its time is long ago, but not many reports in a row by the same whole hours.
"""

from collections import Counter, deque

import structlog
from prometheus_client import Gauge

from bridge.accounts import ProviderAccount

SAMPLE_SIZE = 20
"""The last reports, of which most have to agree."""

MIN_AGREEMENT = 0.9
"""The share of the last reports that has to agree."""

TOLERANCE_SECONDS = 10 * 60.0
"""Tolerance around a whole hour, because reports are a little late."""

HOUR_SECONDS = 3600.0
MAX_HOURS = 14
"""The largest offset of any time zone from UTC."""

log = structlog.get_logger(__name__)


class ClockSkewDetector:
    """Detects the skew of an account's clock from the times in its callbacks."""

    def __init__(self) -> None:
        self._hours: deque[int] = deque()
        self._counts: Counter[int] = Counter()
        """Number of the last reports, by the hours that they were off."""
        self._reported = False

    def observe(self, seconds: float) -> int | None:
        """Add a report whose time is this many seconds after the bridge's.

        Returns:
            The hours that the clock is off, when they are first detected; otherwise None.
        """
        hours = round(seconds / HOUR_SECONDS)
        is_whole = abs(seconds - hours * HOUR_SECONDS) <= TOLERANCE_SECONDS and abs(hours) <= MAX_HOURS
        skew = hours if is_whole else 0
        self._hours.append(skew)
        self._counts[skew] += 1
        if len(self._hours) > SAMPLE_SIZE:
            self._forget(self._hours.popleft())
        if len(self._hours) < SAMPLE_SIZE:
            return None
        most_common = max(self._counts, key=self._counts.__getitem__)
        if most_common == 0 or self._counts[most_common] < MIN_AGREEMENT * SAMPLE_SIZE:
            self._reported = self._reported and most_common != 0
            return None
        reported, self._reported = self._reported, True
        return None if reported else most_common

    def _forget(self, skew: int) -> None:
        self._counts[skew] -= 1
        if not self._counts[skew]:
            del self._counts[skew]


class ProviderClocks:
    """Compares the clocks of all accounts with the bridge's.

    Args:
        gauge: The metric of the last difference in seconds, by provider.
    """

    def __init__(self, gauge: Gauge) -> None:
        self._gauge = gauge
        self._detectors: dict[tuple[str, str], ClockSkewDetector] = {}

    def compare(self, account: ProviderAccount, provider_time: int | None, now: int) -> None:
        """Compare a report's time with the bridge's; both are in milliseconds since the epoch."""
        if provider_time is None:
            return
        seconds = (provider_time - now) / 1000
        self._gauge.labels(account.provider).set(seconds)
        detector = self._detectors.setdefault((account.provider, account.name), ClockSkewDetector())
        hours = detector.observe(seconds)
        if hours is not None:
            log.warning(
                "provider's times are off by whole hours",
                provider=account.provider,
                account=account.name,
                hours=hours,
                setting=account.name_variable("TIMEZONE"),
            )
