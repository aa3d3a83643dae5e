"""Selects an account's next polls: nearest deadline first, mixed with some that became due just now.

After an outage, more polls may be due than the account's rate allows for hours. Attempts near their deadline come
first, but new messages must not wait until all old ones are polled.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import chain, islice
from typing import NamedTuple

from bridge.core.attempt import Followed
from bridge.core.entries import AttemptKey
from bridge.state.partition import PartitionStore

FRESH_SHARE = 4
"""Of this many selected polls, one is among those that became due last."""

CANDIDATES_PER_POLL = 4
"""How many due polls are loaded for each that is selected."""

MIN_CANDIDATES = 16
"""How many due polls are loaded from each partition at least."""

MAX_COUNTED = 500
"""How many due polls of each partition are counted at most."""


class DuePoll(NamedTuple):
    """A poll that is due."""

    ends_at: int
    due: int
    key: str
    sent_at: int
    store: PartitionStore
    sent_as: str | None = None

    @property
    def provider_message_id(self) -> str:
        """The provider's id of the message, as the sender wrote it."""
        return self.sent_as or self.compared_id

    @property
    def compared_id(self) -> str:
        """That id in the form in which reports have it."""
        return AttemptKey.parse(self.key).provider_message_id


class DueSelection(NamedTuple):
    """An account's next polls."""

    polls: Sequence[DuePoll]
    """In sending order."""
    counted: int
    """How many polls are due; counting stops at `MAX_COUNTED` for each partition."""


def select_due_polls(
    stores: Sequence[PartitionStore], full_account: str, now: int, limit: int, skip: Callable[[str], bool]
) -> DueSelection:
    """Select an account's next polls from all partitions that are caught up.

    Args:
        stores: The stores of those partitions.
        full_account: `provider:account`.
        now: The time, in milliseconds since the epoch.
        limit: How many polls to select at most.
        skip: Tells whether an attempt is being polled already.
    """
    candidates = max(MIN_CANDIDATES, CANDIDATES_PER_POLL * limit // max(1, len(stores)))
    oldest, newest, counted = list[DuePoll](), list[DuePoll](), 0
    for store in stores:
        due = [one for one in store.due_polls(full_account, now, max(MAX_COUNTED, candidates)) if not skip(one[1])]
        counted += len(due)
        oldest += _load(store, due[:candidates])
        if len(due) > candidates:
            fresh = store.newest_polls(full_account, now, max(1, candidates // FRESH_SHARE))
            newest += _load(store, [one for one in fresh if not skip(one[1])])
    oldest.sort(key=lambda poll: poll.ends_at)
    newest.sort(key=lambda poll: poll.due, reverse=True)
    return DueSelection(_mix(oldest, newest, limit), counted)


def _load(store: PartitionStore, due: Sequence[tuple[int, str]]) -> list[DuePoll]:
    known = store.get([key for _, key in due])
    return [
        DuePoll(one.state.ends_at, at, key, one.state.sent_at, store, one.state.sent_as)
        for (at, key), one in zip(due, known, strict=True)
        if one and isinstance(one.state, Followed)
    ]


def _mix(oldest: Iterable[DuePoll], newest: Sequence[DuePoll], limit: int) -> list[DuePoll]:
    """Mix both lists, each attempt once."""
    fresh = newest[: limit // FRESH_SHARE]
    taken = {poll.key for poll in fresh}
    rest = (poll for poll in oldest if poll.key not in taken)
    waves = ((*islice(rest, FRESH_SHARE - 1), one) for one in fresh)
    return list(islice(chain(chain.from_iterable(waves), rest), limit))
