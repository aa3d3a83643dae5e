"""Checks of every record that the bridge writes, in whatever test it is read."""

import json
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID, uuid5

from confluent_kafka import TIMESTAMP_CREATE_TIME
from jsonschema import Draft202012Validator

from tests.support.paths import SCHEMAS

NAMESPACE = UUID("8f0c1e52-6d0b-5c1e-9f43-7a2f6f1d2b90")

OUTCOMES = {
    "scheduled": "in_progress",
    "pending": "in_progress",
    "sent": "in_progress",
    "delivered": "delivered",
    "undelivered": "not_delivered",
    "expired": "not_delivered",
    "rejected": "not_delivered",
    "failed": "not_delivered",
    "unknown": "unknown",
}
REASONS = {
    *("malformed", "invalid", "unknown_provider", "unknown_account", "unreadable", "unmatched"),
    *("parked_overflow", "conflict", "too_old", "too_large", "internal"),
}
DETAILS = {"mccmnc", "segments", "price", "network_id", "tat"}
PLAUSIBLE_MS = 1_800_000
"""Clocks that differ by less are right."""

LETTER_HEADERS = {
    *("reason", "error", "source_topic", "source_partition", "source_offset", "http_method", "http_route"),
    *("content_type", "http_query", "provider", "account", "received_at", "original_bytes"),
}


class Record(NamedTuple):
    """A record read by the independent consumer."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: dict[str, str]
    timestamp: int

    @property
    def document(self) -> dict[str, Any]:
        """The value as a JSON object."""
        found: dict[str, Any] = json.loads(self.value or b"null")
        return found

    def __getitem__(self, name: Any) -> Any:
        """A member of the value."""
        return self.document[name]


Attempt = tuple[str, str, str]
"""Provider, account and the provider's id."""


def closed(name: str) -> Draft202012Validator:
    """Return a published schema that allows no other members."""
    schema = json.loads((SCHEMAS / f"{name}.json").read_text())
    if "properties" in schema and "oneOf" not in schema:
        schema["additionalProperties"] = False
    return Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)


class Checks:
    """Checks each record, and each attempt's events as a chain.

    Args:
        source: The `ce_source` that events must have.
        interim: Whether interim statuses are published; if not, a `previous_status` may be unpublished.
    """

    def __init__(self, source: str, *, interim: bool = True) -> None:
        self._source, self._interim = source, interim
        self._event, self._entry = closed("sms.delivery.v1"), closed("journal.v1")
        self.stories: dict[Attempt, list[Record]] = {}

    def check_event(self, record: Record) -> None:
        """Check an event of `sms.delivery`."""
        event = record.document
        self._event.validate(event)
        assert (record.key or b"").decode() == event["message_id"]
        attempt = (event["provider"], event["account"], event["provider_message_id"])
        name = ":".join((event["message_id"], *attempt, str(event["sequence"])))
        assert event["event_id"] == str(uuid5(NAMESPACE, name)), event
        self._headers(record, event)
        _times(record, event)
        assert event["outcome"] == OUTCOMES[event["status"]], event
        assert event["final"] == (event["outcome"] != "in_progress"), event
        assert set(event["provider_details"]) <= DETAILS, event
        self._story(attempt, record, event)

    def _headers(self, record: Record, event: dict[str, Any]) -> None:
        expected = {
            "ce_specversion": "1.0",
            "ce_id": event["event_id"],
            "ce_type": "sms.delivery.v1",
            "ce_source": self._source,
            "ce_subject": event["message_id"],
            "ce_time": event["occurred_at"],
            "content-type": "application/json",
        }
        headers = {**record.headers}
        headers.pop("traceparent", None)
        assert headers.pop("ce_dataschema", "").endswith(":v1.0"), record.headers
        assert headers == expected

    def _story(self, attempt: Attempt, record: Record, event: dict[str, Any]) -> None:
        story = self.stories.setdefault(attempt, [])
        last = story[-1].document if story else None
        assert event["sequence"] == len(story) + 1, (last, event)
        assert event["corrects"] == (last["event_id"] if last and last["final"] else None), (last, event)
        if self._interim or (last and last["final"]):
            assert event["previous_status"] == (last["status"] if last else None), (last, event)
        if last:
            assert record.partition == story[-1].partition
        story.append(record)

    def check_dead_letter(self, record: Record) -> None:
        """Check a dead letter."""
        headers = record.headers
        assert headers["reason"] in REASONS, headers
        assert headers["error"].strip(), headers
        assert set(headers) <= LETTER_HEADERS, headers
        moment(headers["received_at"])
        from_kafka = {"source_topic", "source_partition", "source_offset"}
        from_http = {"http_method", "http_route", "provider", "account"}
        assert from_kafka <= set(headers) or from_http <= set(headers), headers

    def check_entry(self, record: Record) -> None:
        """Check an entry of the journal."""
        entry = record.document
        self._entry.validate(entry)
        compared = entry.get("compared_id", entry["provider_message_id"])
        assert (record.key or b"").decode() == f"{entry['provider']}:{entry['account']}:{compared}"


def moment(text: str) -> int:
    """Parse a time in the bridge's format to milliseconds since the epoch."""
    parsed = datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
    assert len(text) == len("2026-01-01T00:00:00.000Z"), text
    return round(parsed.timestamp() * 1000)


def _times(record: Record, event: dict[str, Any]) -> None:
    sent_at, observed_at, occurred_at = (moment(event[name]) for name in ("sent_at", "observed_at", "occurred_at"))
    if abs(datetime.now(UTC).timestamp() * 1000 - observed_at) < PLAUSIBLE_MS:  # else the broker may not take it
        assert record.timestamp == observed_at, (record.timestamp, event)
    if event["occurred_at_source"] == "observed":
        assert occurred_at == observed_at, event
    timed = event["occurred_at_source"] == "provider" or event["source"] == "callback"
    assert event["latency_seconds"] == (max(0, occurred_at - sent_at) / 1000 if timed else None), event


def read(message: Any) -> Record:
    """Convert a confluent-kafka message to a record."""
    kind, timestamp = message.timestamp()
    headers = message.headers() or []
    assert len(dict(headers)) == len(headers), f"a header twice: {headers}"
    texts = {name: value.decode() for name, value in headers}
    record = Record(
        message.topic(), message.partition(), message.offset(), message.key(), message.value(), texts, timestamp
    )
    if "ce_id" in texts:
        assert kind == TIMESTAMP_CREATE_TIME
    return record
