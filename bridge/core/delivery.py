"""What is published: the vocabulary of `sms.delivery` and the event itself.

Statuses, reasons, ranks and outcomes live here as tables. How an attempt moves between them is `lifecycle.py`.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from hashlib import sha1
from typing import Any, NamedTuple, Self
from uuid import UUID

from msgspec import Struct

NAMESPACE = UUID("8f0c1e52-6d0b-5c1e-9f43-7a2f6f1d2b90")
"""The UUIDv5 namespace of every event id."""

_NAMESPACE_HASH = sha1(NAMESPACE.bytes, usedforsecurity=False)
_VARIANT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}
"""The digit that says which kind of UUID it is keeps two bits of the hash."""


class Word(StrEnum):
    """A closed word. It is looked up some ten times per entry: a text's own hash takes a fifth of an enum's."""

    __hash__ = str.__hash__


class Status(Word):
    """What became of an attempt, in our words. May grow; consumers read an unknown one by its outcome."""

    SCHEDULED = "scheduled"
    PENDING = "pending"
    SENT = "sent"
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"
    EXPIRED = "expired"
    REJECTED = "rejected"
    FAILED = "failed"
    UNKNOWN = "unknown"


class Outcome(Word):
    """What simple consumers need. Closed forever."""

    IN_PROGRESS = "in_progress"
    DELIVERED = "delivered"
    NOT_DELIVERED = "not_delivered"
    UNKNOWN = "unknown"


class Reason(Word):
    """Why it wasn't delivered. May grow."""

    NONE = "none"
    ABSENT_SUBSCRIBER = "absent_subscriber"
    INVALID_NUMBER = "invalid_number"
    BLOCKED_BY_RECIPIENT = "blocked_by_recipient"
    SENDER_REJECTED = "sender_rejected"
    INSUFFICIENT_CREDIT = "insufficient_credit"
    NETWORK = "network"
    VALIDITY_EXPIRED = "validity_expired"
    NO_REPORT = "no_report"
    NO_FINAL_REPORT = "no_final_report"
    UNSPECIFIED = "unspecified"


class Source(Word):
    """How the bridge learnt it."""

    CALLBACK = "callback"
    POLL = "poll"
    DEADLINE = "deadline"


FINAL_RANK = 4

RANKS: Mapping[Status, int] = {
    Status.SCHEDULED: 1,
    Status.PENDING: 2,
    Status.SENT: 3,
    Status.DELIVERED: FINAL_RANK,
    Status.UNDELIVERED: FINAL_RANK,
    Status.EXPIRED: FINAL_RANK,
    Status.REJECTED: FINAL_RANK,
    Status.FAILED: FINAL_RANK,
    Status.UNKNOWN: FINAL_RANK,
}
"""An attempt only ever moves to a higher rank; the highest is final."""

OUTCOMES: Mapping[Status, Outcome] = {
    Status.SCHEDULED: Outcome.IN_PROGRESS,
    Status.PENDING: Outcome.IN_PROGRESS,
    Status.SENT: Outcome.IN_PROGRESS,
    Status.DELIVERED: Outcome.DELIVERED,
    Status.UNDELIVERED: Outcome.NOT_DELIVERED,
    Status.EXPIRED: Outcome.NOT_DELIVERED,
    Status.REJECTED: Outcome.NOT_DELIVERED,
    Status.FAILED: Outcome.NOT_DELIVERED,
    Status.UNKNOWN: Outcome.UNKNOWN,
}


DETAIL_NAMES = ("mccmnc", "segments", "price", "network_id", "tat")
"""The members that `provider_details` may have: what a provider says is passed on verbatim."""


class Verdict(NamedTuple):
    """What a provider's word means: decided at the edge, written into the journal, never decided again."""

    status: Status
    reason: Reason = Reason.NONE
    permanent: bool | None = None

    @property
    def final(self) -> bool:
        """Whether nothing but a correction follows."""
        return RANKS[self.status] == FINAL_RANK


class Delivery(Struct, frozen=True, gc=False):
    """One event of `sms.delivery`, member for member as `schemas/sms.delivery.v1.json` has it.

    Public: consumers may build on it, and it changes only as the schema does. For example:

        event = Delivery.from_json(json.loads(record.value))
        if event.final and event.outcome is Outcome.NOT_DELIVERED:
            print(event.message_id, event.reason)
    """

    event_id: str
    message_id: str
    provider: str
    account: str
    provider_message_id: str
    recipient: str | None
    sender: str | None
    outcome: Outcome
    status: Status
    final: bool
    permanent: bool | None
    reason: Reason
    provider_status: str | None
    provider_code: str | None
    provider_details: dict[str, str]
    previous_status: Status | None
    sequence: int
    corrects: str | None
    source: Source
    sent_at: str
    observed_at: str
    occurred_at: str
    occurred_at_source: str
    latency_seconds: float | None
    metadata: dict[str, str]

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """An event as a consumer reads it. What a later version added is left out or, where it is a value, stays text.

        Raises:
            KeyError: A member is missing: it is no event of this or a later minor version.
        """
        members = {name: document[name] for name in cls.__struct_fields__}
        return cls(**members | {name: _known(kind, members[name]) for name, kind in _ENUMS.items()})

    def as_json(self) -> dict[str, Any]:
        """The event as a JSON document; every member is there."""
        return {name: getattr(self, name) for name in self.__struct_fields__}


_ENUMS: Mapping[str, type[StrEnum]] = {
    "outcome": Outcome,
    "status": Status,
    "reason": Reason,
    "previous_status": Status,
    "source": Source,
}


def _known(kind: type[StrEnum], value: str | None) -> Any:
    return kind(value) if value in set(kind) else value


def make_event_id(message_id: str, key: str, sequence: int) -> str:
    """The UUIDv5 (RFC 9562) of an event: the same after any replay.

    Args:
        message_id: The sender's id.
        key: The attempt's key, `provider:account:provider_message_id`.
        sequence: The event's number within the attempt, from 1.
    """
    # uuid.uuid5 without its detour over an object with six fields: this runs once per event.
    digest = _NAMESPACE_HASH.copy()
    digest.update(f"{message_id}:{key}:{sequence}".encode())
    text = digest.hexdigest()
    return f"{text[:8]}-{text[8:12]}-5{text[13:16]}-{_VARIANT[text[16]]}{text[17:20]}-{text[20:32]}"


def format_rfc3339(milliseconds: int) -> str:
    """Milliseconds since the epoch as `YYYY-MM-DDTHH:MM:SS.mmmZ`."""
    seconds, rest = divmod(milliseconds, 1000)
    return f"{_to_the_second(seconds)}.{rest:03d}Z"


@lru_cache(4096)  # neighbouring events share their seconds: 0.3 instead of 3.8 microseconds
def _to_the_second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()[:19]
