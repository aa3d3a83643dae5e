"""Compares every part of a record of `sms.delivery` with what the simulators know, by tables of its own. Pure."""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID, uuid5

from bridge.sandbox.demo.verification import ExpectedResult

NAMESPACE = UUID("8f0c1e52-6d0b-5c1e-9f43-7a2f6f1d2b90")

MEMBERS = {
    *("event_id", "message_id", "provider", "account", "provider_message_id", "recipient", "sender", "outcome"),
    *("status", "final", "permanent", "reason", "provider_status", "provider_code", "provider_details"),
    *("previous_status", "sequence", "corrects", "source", "sent_at", "observed_at", "occurred_at"),
    *("occurred_at_source", "latency_seconds", "metadata"),
}

OUTCOMES = {
    **dict.fromkeys(("scheduled", "pending", "sent"), "in_progress"),
    **dict.fromkeys(("undelivered", "expired", "rejected", "failed"), "not_delivered"),
    "delivered": "delivered",
    "unknown": "unknown",
}

Meaning = tuple[str, str, bool | None]
"""Status, reason, and whether it is permanent."""

MEANINGS: Mapping[str, Mapping[str, Meaning]] = {
    "dexatel": {
        "pending": ("pending", "none", None),
        "sent": ("sent", "none", None),
        "delivered": ("delivered", "none", None),
        "failed": ("failed", "unspecified", None),
        "rejected": ("rejected", "unspecified", None),
    },
    "speedocom": {
        "messagewaiting": ("pending", "none", None),
        "senttonetwork": ("sent", "none", None),
        "deliveredtoterminal": ("delivered", "none", None),
        "delivredtoterminal": ("delivered", "none", None),
        "absentsubscriber": ("undelivered", "absent_subscriber", None),
        "deliveryimpossible": ("undelivered", "unspecified", None),
        "usernotexist": ("rejected", "invalid_number", True),
        "sendernameblacklisted": ("rejected", "blocked_by_recipient", True),
        "insufficientbalance": ("rejected", "insufficient_credit", False),
        "expired": ("expired", "validity_expired", False),
        "unknown": ("unknown", "unspecified", None),
    },
}
"""By provider and its word, reduced to letters in lower case."""

DEADLINE_REASONS = {"no_report", "no_final_report"}

CLOCK_TOLERANCE_MS = 1_000
"""Between the clocks of a broker and of this process."""


class DeliveryRecord(NamedTuple):
    """A record of `sms.delivery`."""

    key: bytes
    document: Mapping[str, Any]
    headers: Mapping[str, str]
    timestamp: int
    read_at: int
    """By the clock of this process, in milliseconds since the epoch."""


def find_mistakes(record: DeliveryRecord, expected: ExpectedResult, source: str) -> Iterator[str]:
    """Find what is wrong with a record.

    Args:
        record: The record.
        expected: What is known of its message.
        source: The `ce_source` that it must have.
    """
    event = record.document
    if event.keys() != MEMBERS:
        yield f"members: {sorted(event.keys() ^ MEMBERS)}"
        return
    wanted = {
        "account": "default",
        "recipient": expected.recipient,
        "sender": "DEMO",
        "metadata": {"campaign": "demo"},
        "sent_at": _format(expected.sent_at),
        "outcome": OUTCOMES[event["status"]],
        "final": OUTCOMES[event["status"]] != "in_progress",
        "event_id": _make_event_id(event),
    }
    yield from _compare(event, wanted)
    yield from _check_meaning(event)
    yield from _check_times(record)
    yield from _check_headers(record, source)


def _compare(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> Iterator[str]:
    for name, value in wanted.items():
        if found.get(name) != value:
            yield f"{name} is {found.get(name)!r} instead of {value!r}"


def _make_event_id(event: Mapping[str, Any]) -> str:
    parts = ("message_id", "provider", "account", "provider_message_id", "sequence")
    return str(uuid5(NAMESPACE, ":".join(str(event[name]) for name in parts)))


def _check_meaning(event: Mapping[str, Any]) -> Iterator[str]:
    meaning = event["status"], event["reason"], event["permanent"]
    if event["source"] == "deadline":
        if event["status"] != "unknown" or event["reason"] not in DEADLINE_REASONS or event["provider_status"]:
            yield f"a deadline that means {meaning}"
        return
    if event["source"] not in {"callback", "poll"}:
        yield f"source is {event['source']!r}"
    word = re.sub(r"[^a-z]", "", str(event["provider_status"]).lower())
    if meaning != MEANINGS[event["provider"]].get(word):
        yield f"{event['provider_status']!r} means {meaning}"


def _check_times(record: DeliveryRecord) -> Iterator[str]:
    event = record.document
    sent_at, observed_at, occurred_at = (_parse(event[name]) for name in ("sent_at", "observed_at", "occurred_at"))
    # The bridge that observed it may have had a clock that was ahead; then the broker's time counts.
    is_clamped = sent_at - CLOCK_TOLERANCE_MS < record.timestamp < observed_at and record.timestamp <= record.read_at
    if record.timestamp != observed_at and not is_clamped:
        yield f"the record's time is {record.timestamp} instead of {observed_at}"
    if event["occurred_at_source"] == "observed" and occurred_at != observed_at:
        yield f"occurred_at is {event['occurred_at']}"
    timed = event["occurred_at_source"] == "provider" or event["source"] == "callback"
    latency = max(0, occurred_at - sent_at) / 1000 if timed else None
    if event["latency_seconds"] != latency:
        yield f"latency_seconds is {event['latency_seconds']} instead of {latency}"


def _check_headers(record: DeliveryRecord, source: str) -> Iterator[str]:
    event = record.document
    if record.key.decode() != event["message_id"]:
        yield f"the key is {record.key!r}"
    wanted = {
        "ce_specversion": "1.0",
        "ce_id": event["event_id"],
        "ce_type": "sms.delivery.v1",
        "ce_source": source,
        "ce_subject": event["message_id"],
        "ce_time": event["occurred_at"],
        "ce_dataschema": "urn:sms-bridge:schema:sms.delivery:v1.0",
        "content-type": "application/json",
    }
    if record.headers != wanted:
        yield f"headers: {sorted(set(record.headers.items()) ^ set(wanted.items()))}"


def _parse(text: str) -> int:
    return round(datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC).timestamp() * 1000)


def _format(milliseconds: int) -> str:
    return f"{datetime.fromtimestamp(milliseconds / 1000, UTC):%Y-%m-%dT%H:%M:%S}.{milliseconds % 1000:03}Z"
