"""Clocks: one that never jumps, for timers; the machine's own, for time stamps."""

import time
from collections.abc import Callable

SLEW = 0.1
"""How fast a step of the machine's clock is followed: a tenth of a second a second."""


def now_ms() -> int:
    """Read the machine's clock, in milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


def _since_boot() -> float:
    # Goes on while the machine is suspended, as attempts do; not every system has it.
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class SteadyClock:
    """Milliseconds since the epoch, as the machine told when this process began, and evenly from there.

    A machine's clock that is set back or forth by minutes, perhaps only for a while, would end attempts before their
    time, or late. This one follows it so slowly that every timer keeps its order and nearly its length.

    Args:
        wall: The machine's clock, in seconds.
        elapsed: A clock that nobody sets, in seconds.
    """

    def __init__(self, wall: Callable[[], float] = time.time, elapsed: Callable[[], float] = _since_boot) -> None:
        self._wall, self._elapsed = wall, elapsed
        self._now, self._read_at = wall(), elapsed()

    def __call__(self) -> int:
        """The time in milliseconds; never less than what it was before."""
        read_at = self._elapsed()
        passed = max(0.0, read_at - self._read_at)
        self._read_at = read_at
        self._now += passed
        most = passed * SLEW
        self._now += min(most, max(-most, self._wall() - self._now))
        return int(self._now * 1000)
