"""How fast one account may be polled: an even pace, without bursts. The clock is an argument."""

MAX_CATCH_UP = 0.05
"""Seconds of the rate that may be made up for at once: a busy machine wakes nobody to the millisecond."""

MIN_WAIT = 0.005
"""Seconds that are worth sleeping."""


class RateLimiter:
    """Spaces requests evenly. All times are seconds of a monotonic clock.

    Args:
        per_second: The account's rate, over all replicas together.
    """

    def __init__(self, per_second: float) -> None:
        self._per_second = per_second
        self._next = 0.0

    def reserve(self, now: float, share: float) -> float:
        """Take the next slot.

        Args:
            now: The time.
            share: The part of the account's rate that is this process's.

        Returns:
            The seconds until the slot.
        """
        slot = max(now - MAX_CATCH_UP, self._next)
        self._next = slot + 1 / (self._per_second * share)
        return max(MIN_WAIT, slot - now) if slot > now else 0.0
