"""How fast, and whether at all, one account may be asked: a rate, a pause, a circuit. The clock is an argument."""

import random

TRIP_AFTER = 5
"""Failures in a row after which an account isn't asked any more."""

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 300.0
"""Seconds."""

REFUSED_PAUSE = 60.0
"""Seconds until refused credentials are tried again: a person has to mend them."""


def backoff(failures: int, chance: random.Random) -> float:
    """Seconds to wait after this many failures: doubling, with full jitter over the upper half."""
    longest = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(failures, 16))
    return longest * chance.uniform(0.5, 1)


class Pace:
    """One account's pace. All times are seconds of a monotonic clock."""

    def __init__(self, per_second: float, chance: random.Random) -> None:
        self._per_second = per_second
        self._chance = chance
        self._next = 0.0
        self._paused_until = 0.0
        self._failures = 0

    def slot(self, now: float, share: float) -> float:
        """When the next question may be asked, at an even pace; taking the slot.

        Args:
            now: The time.
            share: The part of the account's rate that is this process's.
        """
        slot = max(now, self._next)
        self._next = slot + 1 / (self._per_second * share)
        return slot

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
        """The provider wants patience."""
        if retry_after is not None:
            self.pause(now + retry_after)
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
