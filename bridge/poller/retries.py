"""Reschedules polls that got no answer: later each time, each attempt by its own failures."""

import random
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress

from bridge.core.errors import StoreCorruptedError
from bridge.poller.circuit_breaker import backoff
from bridge.poller.due_polls import DuePoll

MAX_REMEMBERED = 10_000
"""Attempts whose failed polls are remembered."""

MIN_REJECTIONS = 5
"""How often an attempt's polls are rejected before its deadline no longer waits for them: a maintenance page in place
of one answer, such as after an outage, must not decide that a message's status is unknown."""


class Retries:
    """Remembers how often each attempt's polls failed since the last answer.

    Args:
        clock: Returns milliseconds since the epoch, without jumps.
        rng: Randomises the backoff.
    """

    def __init__(self, clock: Callable[[], int], rng: random.Random) -> None:
        self._clock, self._rng = clock, rng
        self._failures: dict[str, int] = {}
        self._rejections: Counter[str] = Counter()

    def sort_by_failures(self, polls: Iterable[DuePoll]) -> list[DuePoll]:
        """Sort polls: those that failed least often come first, in random order."""
        return sorted(polls, key=lambda poll: (self._failures.get(poll.key, 0), self._rng.random()))

    def has_failed(self, poll: DuePoll) -> bool:
        """Whether the attempt's last poll failed."""
        return poll.key in self._failures

    def forget(self, poll: DuePoll) -> None:
        """Forget an attempt's failures: its poll was answered."""
        self._failures.pop(poll.key, None)
        self._rejections.pop(poll.key, None)

    def postpone(self, poll: DuePoll, delay: float | None = None) -> None:
        """Poll again after `delay` seconds, or after the attempt's backoff; the deadline waits for it, for a time."""
        self._move(poll, self._draw_backoff(poll) if delay is None else delay)

    def postpone_rejected(self, poll: DuePoll) -> None:
        """Poll again after the attempt's backoff, unless its deadline comes first and it was rejected often enough."""
        delay = self._draw_backoff(poll)
        self._rejections[poll.key] += 1
        if self._rejections[poll.key] < MIN_REJECTIONS or self._clock() + delay * 1000 < poll.ends_at:
            self._move(poll, delay)

    def end(self, poll: DuePoll) -> None:
        """Poll this attempt no more."""
        self.forget(poll)
        with suppress(StoreCorruptedError):
            poll.store.end_polling(poll.key)

    def _draw_backoff(self, poll: DuePoll) -> float:
        if len(self._failures) > MAX_REMEMBERED:
            self._failures.clear()  # most of them ended long ago
            self._rejections.clear()
        failures = self._failures[poll.key] = self._failures.get(poll.key, 0) + 1
        return backoff(failures - 1, self._rng)

    def _move(self, poll: DuePoll, delay: float) -> None:
        now = self._clock()
        with suppress(StoreCorruptedError):
            poll.store.postpone_poll(poll.key, now + int(delay * 1000), now)
