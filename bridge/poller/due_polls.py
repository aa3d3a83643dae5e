"""Which of an account's due polls come next: nearest deadline first, mixed with some that have just become due.

After an outage there may be more than can be sent for hours. What ends first must be polled first, and yet a message
that was sent a minute ago must not wait until all the old ones are through.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import chain, islice
from typing import NamedTuple

from bridge.core.attempt import Followed
from bridge.core.entries import AttemptKey
from bridge.state.partition import PartitionStore

FRESH_SHARE = 4
"""One poll in so many is the latest that became due."""

LOOKED_AT_PER_POLL = 4
"""How many are looked at for each that is chosen."""

MIN_LOOKED_AT = 16
"""How many are looked at in every partition at least."""

MAX_COUNTED = 500
"""How many are counted in every partition at most."""


class DuePoll(NamedTuple):
    """A poll that is due."""

    ends_at: int
    due: int
    key: str
    sent_at: int
    store: PartitionStore

    @property
    def provider_message_id(self) -> str:
        """The message, by the provider's id."""
        return AttemptKey.parse(self.key).provider_message_id


class DueSelection(NamedTuple):
    """Polls that are due."""

    polls: Sequence[DuePoll]
    """In the order in which they are to be sent."""
    counted: int
    """How many are due in all, as far as was counted."""


def select_due_polls(
    stores: Sequence[PartitionStore], full_account: str, now: int, limit: int, skip: Callable[[str], bool]
) -> DueSelection:
    """Select an account's next polls out of all partitions that are caught up.

    Args:
        stores: The stores of those partitions.
        full_account: `provider:account`.
        now: The time, in milliseconds since the epoch.
        limit: How many are wanted.
        skip: Whether a key is being polled already.
    """
    look_at = max(MIN_LOOKED_AT, LOOKED_AT_PER_POLL * limit // max(1, len(stores)))
    oldest, newest, counted = list[DuePoll](), list[DuePoll](), 0
    for store in stores:
        due = [one for one in store.due_polls(full_account, now, max(MAX_COUNTED, look_at)) if not skip(one[1])]
        counted += len(due)
        oldest += _load(store, due[:look_at])
        if len(due) > look_at:
            fresh = store.newest_polls(full_account, now, max(1, look_at // FRESH_SHARE))
            newest += _load(store, [one for one in fresh if not skip(one[1])])
    oldest.sort(key=lambda poll: poll.ends_at)
    newest.sort(key=lambda poll: poll.due, reverse=True)
    return DueSelection(_mix(oldest, newest, limit), counted)


def _load(store: PartitionStore, due: Sequence[tuple[int, str]]) -> list[DuePoll]:
    known = store.get([key for _, key in due])
    return [
        DuePoll(one.state.ends_at, at, key, one.state.sent_at, store)
        for (at, key), one in zip(due, known, strict=True)
        if one and isinstance(one.state, Followed)
    ]


def _mix(oldest: Iterable[DuePoll], newest: Sequence[DuePoll], limit: int) -> list[DuePoll]:
    """Take from both ends, each attempt once."""
    fresh = newest[: limit // FRESH_SHARE]
    taken = {poll.key for poll in fresh}
    rest = (poll for poll in oldest if poll.key not in taken)
    waves = ((*islice(rest, FRESH_SHARE - 1), one) for one in fresh)
    return list(islice(chain(chain.from_iterable(waves), rest), limit))
