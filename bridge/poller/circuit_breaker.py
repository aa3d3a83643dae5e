"""Pauses an account's polling: after several failures in a row, and after a 429. The clock is an argument."""

import random

FAILURE_THRESHOLD = 5
"""Failures in a row that open the circuit."""

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

    @property
    def failures(self) -> int:
        """Failures in a row."""
        return self._failures

    @property
    def is_half_open(self) -> bool:
        """Whether the next answer decides if the circuit closes again."""
        return self._failures >= FAILURE_THRESHOLD

    def is_open(self, now: float) -> bool:
        """Whether the account isn't polled now."""
        return now < self._open_until

    def open_for(self, now: float) -> float:
        """Seconds until the account is polled again; 0: it is polled now."""
        return max(0.0, self._open_until - now)

    def record_success(self) -> None:
        """Note that the provider gave a usable answer."""
        self._failures = 0

    def record_failure(self, now: float) -> None:
        """Note that the provider gave no usable answer; several in a row open the circuit."""
        if self.is_open(now):
            return  # asked before it opened: one outage counts once
        self._failures += 1
        if self._failures >= FAILURE_THRESHOLD:
            self._open(now + backoff(self._failures - FAILURE_THRESHOLD, self._rng))

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
