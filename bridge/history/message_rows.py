"""The rows of a list of messages: made from the topics' records, selected, and the newest ones kept. Pure."""

from collections.abc import Callable
from heapq import nlargest
from typing import NamedTuple

from msgspec import Struct

from bridge.core.attempt import Followed
from bridge.core.delivery import OUTCOMES, Outcome, Reason, Status
from bridge.core.entries import AttemptKey, Sent
from bridge.core.timestamps import parse_rfc3339

MIN_PREFIX_CHARS = 4
"""Of an id's beginning; a shorter text is compared with whole ids."""

MAX_CANDIDATES = 10_000
"""Rows that are kept at least while topics are read, of some 600 bytes each: most of them leave again as their messages
go on."""

NO_REPORT = "no_report"
"""The status filter for messages about which nothing was reported yet."""


class ListedEvent(Struct, frozen=True, gc=False):
    """The members of an event of `sms.delivery` that a list needs."""

    message_id: str
    provider: str
    account: str
    provider_message_id: str
    recipient: str | None
    status: str
    outcome: str
    reason: str
    final: bool
    corrects: str | None
    sent_at: str
    observed_at: str


class MessageRow(NamedTuple):
    """An attempt in a list. Times are in milliseconds since the epoch."""

    attempt: str
    message_id: str
    provider: str
    account: str
    provider_message_id: str
    recipient: str | None
    sent_at: int
    status: str | None
    """None as long as nothing was reported."""
    outcome: str
    reason: str
    final: bool
    corrected: bool
    updated_at: int | None
    """When the status was observed; None if it wasn't published."""

    @classmethod
    def from_event(cls, event: ListedEvent) -> "MessageRow":
        """Make the row of an attempt from its latest event."""
        key = AttemptKey(event.provider, event.account, event.provider_message_id)
        return cls(
            *(str(key), event.message_id, *key, event.recipient, parse_rfc3339(event.sent_at) or 0, event.status),
            *(event.outcome, event.reason, event.final, event.corrects is not None, parse_rfc3339(event.observed_at)),
        )

    @classmethod
    def from_state(cls, key: AttemptKey, state: Followed) -> "MessageRow":
        """Make the row of an attempt without any event from its state."""
        named = key._replace(provider_message_id=state.sent_as or key.provider_message_id)
        return cls._unpublished(named, state.message_id, state.recipient, state.sent_at, state.status)

    @classmethod
    def from_sent(cls, sent: Sent) -> "MessageRow":
        """Make the row of an attempt that the tracker hasn't processed yet."""
        key = AttemptKey(sent.provider, sent.account, sent.provider_message_id)
        return cls._unpublished(key, sent.message_id, sent.recipient, sent.sent_at, None)

    @classmethod
    def _unpublished(
        cls, key: AttemptKey, message_id: str, recipient: str | None, sent_at: int, status: Status | None
    ) -> "MessageRow":
        outcome = OUTCOMES[status] if status else Outcome.IN_PROGRESS
        return cls(
            *(str(key), message_id, *key, recipient, sent_at),
            status=status.value if status else None,
            outcome=outcome.value,
            reason=Reason.NONE.value,
            final=False,
            corrected=False,
            updated_at=None,
        )


class MessageFilter:
    """Decides which attempts are listed.

    Args:
        text: The beginning of an id, of either side and in any case, with or without `PROVIDER:[ACCOUNT:]`; or empty.
        is_recipient: Whether a recipient is meant; None if the text is no phone number.
        provider: The provider; empty for any.
        status: A status, an outcome, or `no_report`; empty for any.
        since: When the message was sent at the earliest.
    """

    def __init__(
        self, text: str, is_recipient: Callable[[str], bool] | None, provider: str, status: str, since: int
    ) -> None:
        self._text, self._is_recipient, self._provider = text.casefold(), is_recipient, provider
        self._status, self.since = status, since

    def names(self, one: "ListedEvent | MessageRow") -> bool:
        """Whether an attempt is of the provider, and the text means it, whatever its status."""
        if self._provider and one.provider != self._provider:
            return False
        if not self._text or (self._is_recipient and one.recipient and self._is_recipient(one.recipient)):
            return True
        own_id = one.provider_message_id
        names = one.message_id, own_id, f"{one.provider}:{own_id}", f"{one.provider}:{one.account}:{own_id}"
        return any(self._begins(name) for name in names)

    def _begins(self, name: str) -> bool:
        folded = name.casefold()
        return folded == self._text or (len(self._text) >= MIN_PREFIX_CHARS and folded.startswith(self._text))

    def accepts(self, row: MessageRow) -> bool:
        """Whether a row that is meant has the time and the status."""
        if row.sent_at < self.since:
            return False
        return self._status in {"", row.status or NO_REPORT, row.outcome if row.status else ""}


class NewestRows:
    """Keeps the newest rows, whatever number is added.

    Args:
        limit: How many are wanted.
        candidates: How many are kept at least, since some may leave again.
    """

    def __init__(self, limit: int, candidates: int = MAX_CANDIDATES) -> None:
        self._limit, self._candidates = limit, max(limit, candidates)
        self._rows: dict[str, MessageRow] = {}
        self._oldest = 0
        """There was no room for rows that were sent before."""
        self._evicted = False

    def set(self, row: MessageRow) -> None:
        """Add a row, or replace that of the same attempt."""
        if row.sent_at < self._oldest:
            return
        self._rows[row.attempt] = row
        if len(self._rows) > 2 * self._candidates:
            self._rows = {row.attempt: row for row in self._sort(self._candidates)}
            self._oldest = min(row.sent_at for row in self._rows.values())
            self._evicted = True

    def drop(self, attempt: str) -> None:
        """Take an attempt's row away."""
        self._rows.pop(attempt, None)

    @property
    def left_out(self) -> bool:
        """Whether there are more than are wanted, or may be."""
        return self._evicted or len(self._rows) > self._limit

    def newest(self) -> list[MessageRow]:
        """The rows, the latest one first."""
        return self._sort(self._limit)

    def _sort(self, limit: int) -> list[MessageRow]:
        return nlargest(limit, self._rows.values(), key=lambda row: (row.sent_at, row.attempt))
