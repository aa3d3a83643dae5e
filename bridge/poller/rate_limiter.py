"""Limits the rate of one account's requests: evenly spaced, without bursts. The clock is an argument."""

MAX_CATCH_UP = 0.05
"""Seconds of delay that later requests may make up for: timers of a busy machine are late."""

MIN_WAIT = 0.005
"""Shortest wait, in seconds."""


class RateLimiter:
    """Spaces requests evenly. All times are seconds of a monotonic clock.

    Args:
        per_second: The account's rate, of all replicas together.
    """

    def __init__(self, per_second: float) -> None:
        self._per_second = per_second
        self._next = 0.0

    def reserve(self, now: float, share: float) -> float:
        """Reserve the next slot.

        Args:
            now: The time.
            share: This process's share of the rate, from 0 to 1.

        Returns:
            The seconds until the slot.
        """
        slot = max(now - MAX_CATCH_UP, self._next)
        self._next = slot + 1 / (self._per_second * share)
        return max(MIN_WAIT, slot - now) if slot > now else 0.0
