"""Clocks: the system clock for timestamps, and a steady clock for timers."""

import time
from collections.abc import Callable

SLEW_RATE = 0.1
"""How fast the steady clock approaches the system clock, in seconds per second."""


def now_ms() -> int:
    """Read the system clock, in milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


def _read_boot_time() -> float:
    # It continues while the machine is suspended, as attempts do. Not every system has it.
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class SteadyClock:
    """A clock that starts at the system clock's time, never goes back, and approaches the system clock slowly.

    If the system clock is set by minutes, perhaps only for a while, attempts would end early or late. With this clock,
    timers keep their order and nearly their duration.

    Args:
        wall: The system clock, in seconds.
        elapsed: A clock that can't be set, in seconds.
    """

    def __init__(self, wall: Callable[[], float] = time.time, elapsed: Callable[[], float] = _read_boot_time) -> None:
        self._wall, self._elapsed = wall, elapsed
        self._now, self._read_at = wall(), elapsed()

    def __call__(self) -> int:
        """Return the time in milliseconds since the epoch. It is never less than the time before."""
        read_at = self._elapsed()
        passed = max(0.0, read_at - self._read_at)
        self._read_at = read_at
        self._now += passed
        max_correction = passed * SLEW_RATE
        self._now += min(max_correction, max(-max_correction, self._wall() - self._now))
        return int(self._now * 1000)
