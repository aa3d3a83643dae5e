"""Pauses an account's polling: after several failures in a row, and after a 429. The clock is an argument."""

import random

FAILURE_THRESHOLD = 5
"""Different messages whose polls fail in a row, without a success, that open the circuit."""

REJECTION_THRESHOLD = 20
"""The same for messages that the provider rejects: each may be rejected for a reason of its own."""

MAX_PAUSE = 30.0
"""Longest pause after an outage, in seconds: messages that are sent meanwhile wait for it."""

REJECTION_PAUSE = 1.0
"""Seconds between polls while the provider rejects every message."""

MIN_BACKOFF, FIRST_BACKOFF, MAX_BACKOFF = 0.1, 1.0, 300.0
"""Seconds: the shortest backoff, the longest after one failure, and the longest of all."""

REFUSED_PAUSE = 60.0
"""Seconds until refused credentials are tried again: usually a person has to correct them."""

MAX_RETRY_AFTER = 3600.0
"""Longest `Retry-After` that is obeyed, in seconds: a wrong header must not end polling."""


def backoff(failures: int, rng: random.Random) -> float:
    """Draw the seconds to wait after this many failures: up to twice as long each time, with full jitter."""
    longest = min(MAX_BACKOFF, FIRST_BACKOFF * 2.0 ** min(failures, 16))
    return max(MIN_BACKOFF, longest * rng.random())


class CircuitBreaker:
    """One account's circuit. All times are seconds of a monotonic clock."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._open_until = 0.0
        self._failures = 0
        self._failed: set[str] = set()
        self._rejected: set[str] = set()

    @property
    def failures(self) -> int:
        """Failures in a row."""
        return self._failures

    @property
    def is_half_open(self) -> bool:
        """Whether the next answer decides if the circuit closes again."""
        return self._failures >= FAILURE_THRESHOLD or self.is_rejecting

    @property
    def is_rejecting(self) -> bool:
        """Whether the provider rejects whatever it is asked."""
        return len(self._rejected) > REJECTION_THRESHOLD

    def is_open(self, now: float) -> bool:
        """Whether the account isn't polled now."""
        return now < self._open_until

    def open_for(self, now: float) -> float:
        """Seconds until the account is polled again; 0: it is polled now."""
        return max(0.0, self._open_until - now)

    def record_success(self) -> None:
        """Note that the provider gave a usable answer."""
        self._failures = 0
        self._failed.clear()
        self._rejected.clear()

    def record_failure(self, now: float, key: str) -> None:
        """Note that a poll got no usable answer; those of several messages in a row open the circuit.

        Args:
            now: The time.
            key: The attempt that was asked about. One that fails again and again counts once.
        """
        if self.is_open(now):
            return  # asked before it opened: one outage counts once
        if self._failures < FAILURE_THRESHOLD:
            self._failed.add(key)
            self._failures = max(self._failures, len(self._failed))
        else:
            self._failures += 1
        if self._failures >= FAILURE_THRESHOLD:
            self._open(now + min(MAX_PAUSE, backoff(self._failures - FAILURE_THRESHOLD, self._rng)))

    def record_rejection(self, now: float, key: str) -> None:
        """Note that the provider rejects a poll about one attempt; if it rejects all, it is polled slowly."""
        if not self.is_rejecting:
            self._rejected.add(key)
        if self.is_rejecting:
            self._open(now + REJECTION_PAUSE)

    def record_rate_limit(self, now: float, retry_after: float | None) -> None:
        """Note a 429. `retry_after` is in seconds; None, or a date that has passed, gives no time to wait."""
        if retry_after:
            self._open(now + min(retry_after, MAX_RETRY_AFTER))
        elif not self.is_open(now):
            self._failures += 1
            self._open(now + backoff(self._failures - 1, self._rng))

    def record_refusal(self, now: float) -> None:
        """Note that the provider refused the credentials."""
        self._failures = max(self._failures, FAILURE_THRESHOLD)
        self._open(now + REFUSED_PAUSE)

    def _open(self, until: float) -> None:
        self._open_until = max(self._open_until, until)
