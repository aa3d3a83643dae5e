"""Detects timestamps that are consistently off by whole hours: a wrong time-zone setting.

A single report may be late, so that its time is long ago, but not many reports in a row by the same whole hours.
"""

from collections import defaultdict, deque
from functools import partial

import structlog

from bridge.accounts import ProviderAccount
from bridge.observability.metrics import ReceiverMetrics

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
        self._hours: deque[int] = deque(maxlen=SAMPLE_SIZE)
        """By how many whole hours the last reports were off."""
        self._reported = False

    def observe(self, seconds: float) -> int | None:
        """Add a report whose time is this many seconds after the bridge's.

        Returns:
            The hours that the clock is off, when they are first detected; otherwise None.
        """
        skew = 0 if abs(seconds) <= TOLERANCE_SECONDS else _find_whole_hours(seconds)
        self._hours.append(skew)
        if skew == 0 and not self._reported:
            return None
        if len(self._hours) < SAMPLE_SIZE or self._hours.count(skew) < MIN_AGREEMENT * SAMPLE_SIZE:
            return None
        reported, self._reported = self._reported, skew != 0
        return None if reported or skew == 0 else skew


def _find_whole_hours(seconds: float) -> int:
    hours = round(seconds / HOUR_SECONDS)
    is_whole = abs(seconds - hours * HOUR_SECONDS) <= TOLERANCE_SECONDS and abs(hours) <= MAX_HOURS
    return hours if is_whole else 0


class ProviderClocks:
    """Compares the clocks of all accounts with the bridge's.

    Args:
        metrics: Show the last difference by provider, and count times that can't be read.
    """

    def __init__(self, metrics: ReceiverMetrics) -> None:
        self._metrics = metrics
        self._differences: dict[str, float] = {}
        """By provider, the last one; read when metrics are. Setting a gauge would take longer."""
        self._counted: dict[tuple[str, str], int] = {}
        self._detectors: defaultdict[tuple[str, str], ClockSkewDetector] = defaultdict(ClockSkewDetector)

    def compare(self, account: ProviderAccount, provider_time: int | None, now: int) -> None:
        """Compare a report's time with the bridge's; both are in milliseconds since the epoch."""
        if account.dialect.times.unread:
            self._count_unread(account)
        if provider_time is None:
            return
        seconds = (provider_time - now) / 1000
        if account.provider not in self._differences:
            read = partial(self._differences.__getitem__, account.provider)
            self._metrics.provider_clock_skew.labels(account.provider).set_function(read)
        self._differences[account.provider] = seconds
        hours = self._detectors[account.provider, account.name].observe(seconds)
        if hours is not None:
            log.warning(
                "provider's times are off by whole hours",
                provider=account.provider,
                account=account.name,
                hours=hours,
                setting=account.name_variable("TIMEZONE"),
            )

    def _count_unread(self, account: ProviderAccount) -> None:
        times, key = account.dialect.times, (account.provider, account.name)
        counted = self._counted.get(key, 0)
        self._counted[key] = times.unread
        self._metrics.provider_times_unread.labels(account.provider).inc(times.unread - counted)
        if not counted:
            log.warning(
                "provider's times can't be read; only their statuses are",
                provider=account.provider,
                account=account.name,
                time=times.last_unread,
                setting=account.name_variable("TIME_FORMAT"),
            )
