"""The published event `sms.delivery` and its vocabulary: statuses, outcomes, reasons and ranks as tables.

How an attempt moves from one status to the next is in `lifecycle.py`.
"""

from collections.abc import Mapping
from enum import StrEnum
from hashlib import sha1
from typing import Any, NamedTuple, Self
from uuid import UUID

from msgspec import Struct

NAMESPACE = UUID("8f0c1e52-6d0b-5c1e-9f43-7a2f6f1d2b90")
"""The UUIDv5 namespace of every event id."""

_NAMESPACE_HASH = sha1(NAMESPACE.bytes, usedforsecurity=False)
_VARIANT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}
"""The UUID's variant takes two bits of a hexadecimal digit; the other two are the hash's."""


class FastStrEnum(StrEnum):
    """An enum that is hashed as a string. That takes a fifth of the time, and happens about ten times per entry."""

    __hash__ = str.__hash__


class Status(FastStrEnum):
    """The status of an attempt. New values may be added; consumers handle an unknown one by its outcome."""

    SCHEDULED = "scheduled"
    PENDING = "pending"
    SENT = "sent"
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"
    EXPIRED = "expired"
    REJECTED = "rejected"
    FAILED = "failed"
    UNKNOWN = "unknown"


class Outcome(FastStrEnum):
    """A status reduced to what simple consumers need. No new values will be added."""

    IN_PROGRESS = "in_progress"
    DELIVERED = "delivered"
    NOT_DELIVERED = "not_delivered"
    UNKNOWN = "unknown"


class Reason(FastStrEnum):
    """Why a message wasn't delivered. New values may be added."""

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


class Source(FastStrEnum):
    """How the bridge learnt of a status."""

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
"""A report changes an attempt only to a higher rank. The highest rank is final."""

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
"""The members that `provider_details` may have. Their values are the provider's, unchanged."""


class Verdict(Struct, array_like=True, frozen=True, gc=False):
    """The meaning of a provider's status. It is decided once, before the report is written to the journal."""

    status: Status
    reason: Reason = Reason.NONE
    permanent: bool | None = None

    @property
    def final(self) -> bool:
        """Whether the status is final: only a correction may follow."""
        return RANKS[self.status] == FINAL_RANK


class CodeMeaning(NamedTuple):
    """What a provider's error code says about a message that wasn't delivered."""

    status: Status | None = None
    """None if the provider's status stands."""
    reason: Reason = Reason.UNSPECIFIED
    permanent: bool | None = None

    def refine(self, verdict: Verdict) -> Verdict:
        """Refine the meaning of the provider's status, unless it is that nothing failed."""
        if not verdict.final or verdict.status is Status.DELIVERED:
            return verdict
        return Verdict(self.status or verdict.status, self.reason, self.permanent)


class Delivery(Struct, frozen=True, gc=False):
    """An event of `sms.delivery`, with the members of `schemas/sms.delivery.v1.json`.

    It is public: consumers may use it, and it changes only with the schema. For example:

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
        """Read an event. Members that a later version added are left out; values that it added stay text.

        Raises:
            KeyError: A member is missing: the document isn't an event of this or a later minor version.
        """
        members = {name: document[name] for name in cls.__struct_fields__}
        return cls(**members | {name: _to_enum(kind, members[name]) for name, kind in _ENUMS.items()})

    def as_json(self) -> dict[str, Any]:
        """Convert the event to a JSON document with all members."""
        return {name: getattr(self, name) for name in self.__struct_fields__}


_ENUMS: Mapping[str, type[StrEnum]] = {
    "outcome": Outcome,
    "status": Status,
    "reason": Reason,
    "previous_status": Status,
    "source": Source,
}


def _to_enum(kind: type[StrEnum], value: str | None) -> Any:
    return kind(value) if value in set(kind) else value


def make_event_id(message_id: str, key: str, sequence: int) -> str:
    """Make the UUIDv5 (RFC 9562) of an event. It is the same when the journal is read again.

    Args:
        message_id: The sender's id.
        key: The attempt's key, `provider:account:provider_message_id`.
        sequence: The event's number within the attempt, from 1.
    """
    # Faster than uuid.uuid5, which makes an object with six fields: this runs once per event.
    digest = _NAMESPACE_HASH.copy()
    digest.update(f"{message_id}:{key}:{sequence}".encode())
    text = digest.hexdigest()
    return f"{text[:8]}-{text[8:12]}-5{text[13:16]}-{_VARIANT[text[16]]}{text[17:20]}-{text[20:32]}"
