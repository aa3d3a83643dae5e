"""Members may stand in a record's key, headers or timestamp, in JSON that is held as text, and in envelopes."""

from typing import Any

import orjson
import pytest

from bridge.core.errors import PoisonMessageError
from bridge.intake.field_mapping import list_known_paths, list_recipient_members
from bridge.intake.sent_parser import SkipReason
from bridge.intake.source_event import SentRecord
from tests.support.sent_events import EVENT, NOW, SENT_AT, TIMESTAMP, outcome_of, parse, parser_of
from tests.support.settings import settings_of


def without(*names: str) -> dict[str, Any]:
    """The event without these members."""
    return {name: value for name, value in EVENT.items() if name not in names}


@pytest.mark.parametrize(
    ("pointer", "key", "headers"),
    [
        ("key:", b"m-7", ()),
        ("key:/order/no", b'{"order":{"no":"m-7"}}', ()),
        ("key:/payload/id", b'{"schema":{"type":"struct"},"payload":{"id":"m-7"}}', ()),
        ("key:/id", b'\0\0\0\0\x07{"id":"m-7"}', ()),
        ("header:id", None, [("id", b"first"), ("other", None), ("id", b"m-7")]),
    ],
)
def test_an_id_outside_the_value(pointer: str, key: bytes | None, headers: Any) -> None:
    """The key as text or as JSON, and the last header of a name."""
    found = parse(without("message_id"), parser_of(SENT__FIELDS={"message_id": pointer}), key=key, headers=headers)
    assert (found.entries[0].message_id, found.ignored) == ("m-7", ())


@pytest.mark.parametrize(
    ("pointer", "key", "headers"),
    [
        ("key:", None, ()),
        ("key:", b"", ()),
        ("key:", b"\xff\xfe", ()),
        ("key:/id", b"m-7", ()),
        ("header:id", None, [("ID", b"m-7"), ("id", None)]),
        ("header:id", None, [("id", b"\xff")]),
        ("timestamp:", None, ()),
    ],
)
def test_what_is_not_there_is_named(pointer: str, key: bytes | None, headers: Any) -> None:
    """The dead letter says where the id was looked for."""
    parser = parser_of(SENT__FIELDS={"message_id": pointer})
    with pytest.raises(PoisonMessageError, match=f"message_id: missing; looked for at {pointer}"):
        parse(without("message_id"), parser, key=key, headers=headers, timestamp=-1)


def test_a_member_may_have_several_places() -> None:
    """Of a topic with several writers: the first place with a value counts."""
    parser = parser_of(SENT__FIELDS={"message_id": ["/message_id", "header:id", "key:"]})
    header = [("id", b"of-header")]
    bare = without("message_id")
    found = [
        parse(EVENT, parser, key=b"of-key", headers=header),
        parse(bare, parser, key=b"of-key", headers=header),
        parse(bare, parser, key=b"of-key"),
    ]
    assert [one.entries[0].message_id for one in found] == ["m-1", "of-header", "of-key"]
    with pytest.raises(PoisonMessageError, match="looked for at /message_id or header:id or key:"):
        parse(bare, parser)


def test_the_records_timestamp_is_a_time() -> None:
    """By a setting it is taken without a warning."""
    parser = parser_of(SENT__FIELDS={"sent_at": "timestamp:"})
    found = parse(without("sent_at"), parser)
    assert (found.entries[0].sent_at, found.ignored) == (TIMESTAMP, ())


def test_records_are_filtered_by_headers_and_keys() -> None:
    """As by members."""
    parser = parser_of(SENT__WHERE={"header:eventType": ["SmsSent"], "key:": ["k", "l"]})
    good, other = [("eventType", b"SmsSent")], [("eventType", b"SmsPlanned")]
    assert parse(EVENT, parser, headers=good, key=b"k").entries
    for record in ({"headers": other, "key": b"k"}, {"headers": good, "key": b"m"}, {}):
        assert parse(EVENT, parser, **record).skipped is SkipReason.FILTERED


def test_pointers_lead_into_json_that_is_text() -> None:
    """An outbox table holds the event as text."""
    row = {"id": 9, "payload": orjson.dumps({"order": {"no": "m-7"}, "ref": '{"id":"0042"}'}).decode()}
    fields = {"message_id": "/payload/order/no", "provider_message_id": "/payload/ref/id", "sent_at": "timestamp:"}
    parser = parser_of(SENT__FIELDS=fields, SENT__CONSTANTS={"provider": "dexatel"})
    (entry,) = parse(row, parser).entries
    assert (entry.message_id, entry.provider_message_id) == ("m-7", "0042")


SOURCE = {"connector": "postgresql", "table": "sms"}
ROW = {**EVENT, "sent_at": SENT_AT * 1000}  # Debezium writes times in microseconds


def change(operation: Any, after: Any, **more: Any) -> dict[str, Any]:
    """A row's change as Debezium writes it."""
    return {"before": None, "after": after, "op": operation, "source": SOURCE, "ts_ms": SENT_AT, **more}


ENVELOPES = {
    "created": change("c", ROW),
    "read": change("r", ROW),
    "updated": change("u", ROW, before=ROW),
    "with a schema": {"schema": {"type": "struct"}, "payload": change("c", ROW)},
    "the row with a schema": {"schema": {"type": "struct"}, "payload": ROW},
    "the row alone": {**ROW, "__deleted": "false", "__op": "c"},
    "text": orjson.dumps(ROW).decode(),
    "text with a schema": {"schema": {"type": "string"}, "payload": orjson.dumps(ROW).decode()},
}


@pytest.mark.parametrize("envelope", ENVELOPES.values(), ids=ENVELOPES)
def test_envelopes_of_connectors_are_opened(envelope: Any) -> None:
    """Without a setting: what Kafka Connect and Debezium put around an event can only mean one thing."""
    assert parse(envelope).entries == parse(EVENT).entries


@pytest.mark.parametrize("pointer", ["/payload/after/message_id", "/after/message_id", "/message_id"])
def test_pointers_lead_from_any_layer(pointer: str) -> None:
    """From the outermost one inwards."""
    parser = parser_of(SENT__FIELDS={"message_id": pointer}, SENT__WHERE={"/payload/source/table": ["sms"]})
    assert parse(ENVELOPES["with a schema"], parser).entries[0].message_id == "m-1"


@pytest.mark.parametrize(
    "document",
    [
        change("d", None, before=ROW),
        change("t", None),
        {"schema": {"type": "struct"}, "payload": change("d", None, before=ROW)},
        {"schema": None, "payload": None},
        {**ROW, "__deleted": "true"},
    ],
)
def test_deleted_rows_are_skipped(document: Any) -> None:
    """Deleting a row of an outbox takes nothing back."""
    assert parse(document).skipped is SkipReason.TOMBSTONE


@pytest.mark.parametrize(
    "document",
    [
        change([], ROW),
        change("c", "text"),
        {"schema": 1, "payload": [1]},
        {**EVENT, "op": {}, "source": 1, "before": 1},
        {**EVENT, "__deleted": ["true"]},
    ],
)
def test_what_only_resembles_an_envelope_is_survived(document: Any) -> None:
    """It is followed, skipped or a dead letter."""
    outcome = outcome_of(document)
    assert isinstance(outcome, PoisonMessageError) or outcome.entries or outcome.skipped


def test_a_frame_without_json_says_what_it_may_be() -> None:
    """The remedy is in the dead letter."""
    with pytest.raises(
        PoisonMessageError, match=r"schema 8 of a registry: if it is Avro, set SENT__FORMAT=avro and REGISTRY__URL"
    ):
        parser_of().parse(SentRecord(b"\0\0\0\0\x08\x06m-1"), NOW)


def test_privacy_follows_the_pointers() -> None:
    """Only pointers into values lead to ids and phone numbers there."""
    fields = {"message_id": "key:/id", "provider_message_id": "/ref/id", "recipient": "header:to"}
    sent = settings_of(SENT__FIELDS=orjson.dumps(fields).decode(), SENT__EACH="/list").sent
    assert list_known_paths(sent) == {("list", "ref", "id")}
    assert list_recipient_members(sent) == []
    top = settings_of(SENT__FIELDS='{"message_id":"//order/no","recipient":""}', SENT__EACH="/numbers").sent
    assert list_known_paths(top) == {("order", "no")}
    assert list_recipient_members(top) == ["numbers"]
