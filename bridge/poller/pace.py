"""How fast, and whether at all, one account may be asked: a rate, a pause, a circuit. The clock is an argument."""

import random

TRIP_AFTER = 5
"""Failures in a row after which an account isn't asked any more."""

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 300.0
"""Seconds that the first and the last of many failures may cost at most."""

LEAST_PAUSE = 0.1
"""Seconds that any failure costs."""

REFUSED_PAUSE = 60.0
"""Seconds until refused credentials are tried again: a person has to mend them."""


LONGEST_PATIENCE = 3600.0
"""Seconds that a provider may ask us to wait: a wrong header must not end polling."""

CATCH_UP = 0.05
"""Seconds of the rate that may be made up for at once: a busy machine wakes nobody to the millisecond."""

LEAST_WAIT = 0.005
"""Seconds that are worth sleeping."""


def backoff(failures: int, chance: random.Random) -> float:
    """Seconds to wait after this many failures: up to twice as long each time, with full jitter."""
    longest = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(failures, 16))
    return max(LEAST_PAUSE, longest * chance.random())


class Pace:
    """One account's pace. All times are seconds of a monotonic clock."""

    def __init__(self, per_second: float, chance: random.Random) -> None:
        self._per_second = per_second
        self._chance = chance
        self._next = 0.0
        self._paused_until = 0.0
        self._failures = 0

    def wait(self, now: float, share: float) -> float:
        """Take the next place of an even pace; in how many seconds it is.

        Args:
            now: The time.
            share: The part of the account's rate that is this process's.
        """
        place = max(now - CATCH_UP, self._next)
        self._next = place + 1 / (self._per_second * share)
        return max(LEAST_WAIT, place - now) if place > now else 0.0

    def open(self, now: float) -> bool:
        """Whether the circuit is open: the account isn't asked."""
        return now < self._paused_until

    @property
    def probing(self) -> bool:
        """Whether the next question decides if the circuit closes again."""
        return self._failures >= TRIP_AFTER

    def answered(self) -> None:
        """The provider answered, whatever it said about the message."""
        self._failures = 0

    def failed(self, now: float) -> None:
        """The provider gave no usable answer; too often in a row opens the circuit."""
        if self.open(now):
            return  # asked before it opened: one outage counts once
        self._failures += 1
        if self._failures >= TRIP_AFTER:
            self.pause(now + backoff(self._failures - TRIP_AFTER, self._chance))

    def limited(self, now: float, retry_after: float | None) -> None:
        """The provider wants patience; how much, it may say. None, as in a date that has passed, says nothing."""
        if retry_after:
            self.pause(now + min(retry_after, LONGEST_PATIENCE))
        elif not self.open(now):
            self._failures += 1
            self.pause(now + backoff(self._failures - 1, self._chance))

    def refused(self, now: float) -> None:
        """The provider doesn't accept the credentials."""
        self._failures = max(self._failures, TRIP_AFTER)
        self.pause(now + REFUSED_PAUSE)

    def pause(self, until: float) -> None:
        """Ask nothing until then."""
        self._paused_until = max(self._paused_until, until)
