"""Which of an account's due questions come next: nearest end first, and some of what has just become due.

After an outage of ours there may be more than can be asked for hours. Whoever ends first must be asked first, and yet
a message that was sent a minute ago must not wait until all the old ones are through.
"""

from collections.abc import Callable, Collection, Sequence
from itertools import chain, islice
from typing import NamedTuple

from bridge.core.attempt import Followed
from bridge.state.partition import PartitionStore
from bridge.tracker.worker import PartitionWorker

FRESH = 4
"""One question in so many is the latest that became due."""

CHOICE = 4
"""How many are looked at for each that is chosen."""

LEAST_LOOK = 16
"""How many are looked at in every partition at least."""

COUNTED = 500
"""How many are counted in every partition at most."""


class DuePoll(NamedTuple):
    """A due poll."""

    ends_at: int
    due: int
    key: str
    sent_at: int
    attempts: PartitionStore


class DueSelection(NamedTuple):
    """What is due."""

    chosen: Sequence[DuePoll]
    """In the order in which they are to be asked."""
    seen: int
    """How many there are, as far as was counted."""


def select_due_polls(
    workers: Collection[PartitionWorker], account: str, now: int, limit: int, skip: Callable[[str], bool]
) -> DueSelection:
    """The next questions about an account, out of all partitions that are caught up.

    Args:
        workers: The partitions of this process.
        account: `provider:account`.
        now: The time, in milliseconds since the epoch.
        limit: How many are wanted.
        skip: Whether a key is being asked about already.
    """
    ready = [worker.attempts for worker in workers if worker.caught_up]
    look = max(LEAST_LOOK, CHOICE * limit // max(1, len(ready)))
    oldest, newest, seen = list[DuePoll](), list[DuePoll](), 0
    for attempts in ready:
        due = [one for one in attempts.due_polls(account, now, max(COUNTED, look)) if not skip(one[1])]
        seen += len(due)
        oldest += _questions(attempts, due[:look])
        if len(due) > look:
            fresh = attempts.newest_polls(account, now, max(1, look // FRESH))
            newest += _questions(attempts, [one for one in fresh if not skip(one[1])])
    oldest.sort(key=lambda question: question.ends_at)
    newest.sort(key=lambda question: question.due, reverse=True)
    return DueSelection(_mixed(oldest, newest, limit), seen)


def _questions(attempts: PartitionStore, due: Sequence[tuple[int, str]]) -> list[DuePoll]:
    known = attempts.get([key for _, key in due])
    return [
        DuePoll(one.state.ends_at, at, key, one.state.sent_at, attempts)
        for (at, key), one in zip(due, known, strict=True)
        if one and isinstance(one.state, Followed)
    ]


def _mixed(oldest: Sequence[DuePoll], newest: Sequence[DuePoll], limit: int) -> list[DuePoll]:
    """From both ends, each attempt once."""
    fresh = newest[: limit // FRESH]
    taken = {question.key for question in fresh}
    rest = (question for question in oldest if question.key not in taken)
    waves = ((*islice(rest, FRESH - 1), one) for one in fresh)
    return list(islice(chain(chain.from_iterable(waves), rest), limit))
