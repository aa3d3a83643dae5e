"""How sent events are parsed."""

import base64
import json
from typing import Any

import orjson
import pytest
from msgspec import UNSET
from msgspec.structs import replace

from bridge.accounts import build_accounts
from bridge.core.entries import Sent
from bridge.core.errors import DeadLetterReason, PoisonMessageError
from bridge.intake.sent_parser import SentParser, SkipReason, make_sent_parser
from bridge.intake.source_event import Headers, SentRecord
from bridge.privacy import Privacy
from tests.support.settings import settings_of

HOUR = 3_600_000
EVENT = {
    "message_id": "m-1",
    "provider": "dexatel",
    "provider_message_id": "0042",
    "sent_at": "2026-01-31T12:00:00+03:00",
}
SENT_AT = 1_769_850_000_000
NOW = SENT_AT + 1_000


def reader(**changes: str) -> SentParser:
    """Make a parser with these settings."""
    settings = settings_of(**changes)
    return make_sent_parser(settings, build_accounts(settings), Privacy(settings.privacy))


def parse(using: SentParser, value: bytes | None, headers: Headers = ()) -> Sent | SkipReason:
    """Parse a value that says one thing, without a timestamp of its record."""
    found = using.parse(SentRecord(value, headers), NOW)
    return found.skipped or found.entries[0]


def read(event: Any, using: SentParser | None = None, **members: Any) -> Sent:
    """Parse an event that is valid."""
    entry = parse(using or reader(), orjson.dumps(event | members))
    assert isinstance(entry, Sent)
    return entry


def test_the_necessary_is_enough() -> None:
    """With the required members only, the others have their defaults, and times count from sent_at."""
    expected = Sent("m-1", "dexatel", "default", "0042", SENT_AT, SENT_AT, SENT_AT + 47 * HOUR)
    assert replace(read(EVENT), lifetimes="") == expected


def test_settings_that_move_deadlines_show_in_the_entry() -> None:
    """A tracker with other settings must notice."""
    entries = [
        parse(reader(**changes), orjson.dumps(EVENT))
        for changes in ({}, {}, {"DEXATEL__GIVE_UP_AFTER": "1h"}, {"FOLLOW__MAX_FOLLOW": "9d"})
    ]
    first, same, *others = [entry.lifetimes for entry in entries if isinstance(entry, Sent)]
    assert first == same
    assert len({first, *others}) == 3


def test_every_member_is_taken() -> None:
    """Optional members are kept; unknown ones and nulls are ignored."""
    value = orjson.dumps(
        EVENT | {"recipient": "+254", "sender": "ACME", "metadata": {"a": "b"}, "x": 1, "account": None}
    )
    record = SentRecord(value, [("traceparent", b"00-1-2-01")], origin=("sms.sent", 3, 7))
    found = reader().parse(record, NOW)
    assert (found.ignored, found.errors) == ((), ())
    (entry,) = found.entries
    assert (entry.recipient, entry.sender, entry.metadata) == ("+254", "ACME", {"a": "b"})
    assert (entry.traceparent, entry.origin) == ("00-1-2-01", ("sms.sent", 3, 7))


def test_a_scheduled_message_counts_from_its_schedule() -> None:
    """Ages and the deadline count from the scheduled time if that is later."""
    entry = read(EVENT, scheduled_at="2026-01-31T10:00:00Z")
    assert (entry.starts_at, entry.gives_up_at) == (SENT_AT + HOUR, SENT_AT + 48 * HOUR)
    assert read(EVENT, scheduled_at="2026-01-31T08:00:00Z").starts_at == SENT_AT


def test_the_sender_may_say_when_to_give_up() -> None:
    """The sender's deadline counts, limited to the maximum time."""
    assert read(EVENT, give_up_at="2026-01-31T09:30:00Z").gives_up_at == SENT_AT + HOUR // 2
    assert read(EVENT, give_up_at="2027-01-31T09:30:00Z").gives_up_at == SENT_AT + 7 * 24 * HOUR


@pytest.mark.parametrize(
    ("value", "expected"), [("007", "007"), (7, "7"), (2**64 - 1, "18446744073709551615"), ("a:b/ c", "a:b/ c")]
)
def test_ids_are_opaque(value: Any, expected: str) -> None:
    """Leading zeros are kept, and a whole number becomes its digits."""
    assert read(EVENT, provider_message_id=value).provider_message_id == expected


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"", DeadLetterReason.MALFORMED),
        (b"no json", DeadLetterReason.MALFORMED),
        (b"[1]", DeadLetterReason.MALFORMED),
        (b"\xff\xfe", DeadLetterReason.MALFORMED),
        (orjson.dumps({**EVENT, "sent_at": None}), DeadLetterReason.INVALID),
        (orjson.dumps({**EVENT, "sent_at": "yesterday"}), DeadLetterReason.INVALID),
        (orjson.dumps({**EVENT, "sent_at": "2026-01-31T12:00:00"}), DeadLetterReason.INVALID),
        (orjson.dumps({**EVENT, "sent_at": "9999-12-31T23:59:59.9999999Z"}), DeadLetterReason.INVALID),
        (orjson.dumps({**EVENT, "sent_at": "0001-01-01T00:00:00Z"}), DeadLetterReason.INVALID),
        (orjson.dumps({**EVENT, "sent_at": "2026-02-02T12:00:00+03:00"}), DeadLetterReason.INVALID),
        (orjson.dumps({**EVENT, "message_id": ""}), DeadLetterReason.INVALID),
        (orjson.dumps({**EVENT, "message_id": True}), DeadLetterReason.INVALID),
        (orjson.dumps({**EVENT, "provider_message_id": 1.5}), DeadLetterReason.INVALID),
        (orjson.dumps({**EVENT, "provider_message_id": "é" * 65}), DeadLetterReason.INVALID),
        (orjson.dumps(EVENT).replace(b'"0042"', b"18446744073709551616"), DeadLetterReason.INVALID),
        (orjson.dumps({**EVENT, "provider": "Dexatel!"}), DeadLetterReason.INVALID),
        (orjson.dumps({**EVENT, "provider": "acme"}), DeadLetterReason.UNKNOWN_PROVIDER),
        (orjson.dumps({**EVENT, "account": "promo"}), DeadLetterReason.UNKNOWN_ACCOUNT),
    ],
)
def test_what_cannot_be_read_has_a_reason(value: bytes, reason: DeadLetterReason) -> None:
    """Invalid input raises a PoisonMessageError with its reason, and no other error."""
    with pytest.raises(PoisonMessageError) as poison:
        parse(reader(), value)
    assert poison.value.reason is reason


def test_tombstones_are_skipped() -> None:
    """A null value is not about a message."""
    assert parse(reader(), None) is SkipReason.TOMBSTONE


def test_another_shape_is_read_by_settings() -> None:
    """JSON pointers, constants, names of providers and a filter map an existing topic."""
    using = reader(
        SENT__FIELDS='{"message_id":"/data/id","provider_message_id":"/data/refs/0","sent_at":"/at","provider":"/via"}',
        SENT__CONSTANTS='{"sender":"ACME"}',
        SENT__PROVIDERS='{"DX":"dexatel"}',
        SENT__WHERE='{"/type":["sms.sent","sms.resent"]}',
    )
    theirs = {"type": "sms.sent", "at": "2026-01-31T09:00:00Z", "via": "DX", "data": {"id": 5, "refs": ["0042"]}}
    entry = read(theirs, using)
    assert (entry.message_id, entry.provider, entry.provider_message_id) == ("5", "dexatel", "0042")
    assert (entry.sent_at, entry.sender) == (SENT_AT, "ACME")
    assert parse(using, orjson.dumps(theirs | {"type": "sms.planned"})) is SkipReason.FILTERED


def test_confluent_framing_is_stripped() -> None:
    """The five bytes that a registry's serializer writes first are skipped."""
    assert isinstance(parse(reader(), b"\x00\x00\x00\x00\x07" + orjson.dumps(EVENT)), Sent)


@pytest.mark.parametrize("moment", [1_769_850_000, 1_769_850_000_000, "1769850000", "1769850000000", 1_769_850_000.0])
def test_a_mapped_time_may_count_from_the_epoch(moment: Any) -> None:
    """A time with a pointer may be in seconds or milliseconds, as number or text."""
    using = reader(SENT__FIELDS='{"sent_at":"/ts","give_up_at":"/until"}')
    theirs = {**EVENT, "sent_at": None, "ts": moment}
    assert read(theirs, using).sent_at == SENT_AT
    assert read({**theirs, "until": SENT_AT // 1000 + 60}, using).gives_up_at == SENT_AT + 60_000
    assert read({**theirs, "ts": EVENT["sent_at"]}, using).sent_at == SENT_AT


@pytest.mark.parametrize("moment", [-1, 0, True, 1.0e20, -1.0e308, "12 o'clock", 10**40])
def test_a_mapped_time_has_to_be_one(moment: Any) -> None:
    """A value that isn't a time between 1970 and 2999 raises a PoisonMessageError, and no other error."""
    value = json.dumps({**EVENT, "ts": moment}).encode()
    with pytest.raises(PoisonMessageError) as poison:
        parse(reader(SENT__FIELDS='{"sent_at":"/ts"}'), value)
    assert poison.value.reason in {DeadLetterReason.INVALID, DeadLetterReason.MALFORMED}


ATTRIBUTES = {
    "specversion": "1.0",
    "id": "ce-1",
    "type": "sms.sent",
    "source": "/sender",
    "time": "2026-01-31T09:00:00Z",
}
BINARY = [(f"ce_{name}", text.encode()) for name, text in ATTRIBUTES.items()]


def in_each_mode(data: dict[str, Any]) -> list[tuple[bytes, list[tuple[str, bytes]]]]:
    """Write an event in every mode: value and headers."""
    encoded = base64.b64encode(orjson.dumps(data)).decode()
    return [
        (
            orjson.dumps({**ATTRIBUTES, "data": data}),
            [("content-type", b"application/cloudevents+json; charset=UTF-8")],
        ),
        (orjson.dumps({**ATTRIBUTES, "data": data}), []),
        (orjson.dumps({**ATTRIBUTES, "data_base64": encoded}), []),
        (orjson.dumps(data), [("content-type", b"application/json"), *BINARY]),
    ]


@pytest.mark.parametrize("mode", range(4), ids=["structured", "unlabelled", "base64", "binary"])
def test_cloudevents_are_opened(mode: int) -> None:
    """Members are read from the data; pointers and filters may use attributes, in every mode alike."""
    value, headers = in_each_mode(EVENT)[mode]
    assert parse(reader(), value, headers) == read(EVENT)
    using = reader(
        SENT__FIELDS='{"message_id":"/id","sent_at":"/time","provider_message_id":"/data/provider_message_id"}',
        SENT__WHERE='{"/type":["sms.sent"]}',
    )
    assert parse(reader(SENT__WHERE='{"/type":["sms.planned"]}'), value, headers) is SkipReason.FILTERED
    entry = parse(using, value, headers)
    assert isinstance(entry, Sent)
    assert (entry.message_id, entry.sent_at, entry.provider_message_id) == ("ce-1", SENT_AT, "0042")


def test_a_pointer_may_lead_from_the_data() -> None:
    """A mapping of the payload also works inside an envelope."""
    using = reader(SENT__FIELDS='{"message_id":"/order/no"}')
    for value, headers in in_each_mode({**EVENT, "message_id": None, "order": {"no": "m-7"}}):
        entry = parse(using, value, headers)
        assert isinstance(entry, Sent)
        assert entry.message_id == "m-7"


def test_the_trace_context_may_be_an_extension() -> None:
    """A CloudEvent may have it as an attribute; the header has priority."""
    value, _ = in_each_mode(EVENT)[1]
    traced = value.replace(b'"id"', b'"traceparent":"00-1-2-01","id"', 1)
    cases = [(traced, []), (orjson.dumps(EVENT), [*BINARY, ("ce_traceparent", b"00-1-2-01")])]
    for event, headers in cases:
        entry = parse(reader(), event, headers)
        assert isinstance(entry, Sent)
        assert entry.traceparent == "00-1-2-01"


@pytest.mark.parametrize(
    "value",
    [
        orjson.dumps({**ATTRIBUTES, "data": "text"}),
        orjson.dumps({**ATTRIBUTES, "data_base64": "!"}),
        orjson.dumps({**ATTRIBUTES, "data_base64": "aGk="}),
    ],
)
def test_an_envelope_without_an_object_is_malformed(value: bytes) -> None:
    """A CloudEvent whose data isn't a JSON object becomes a dead letter."""
    with pytest.raises(PoisonMessageError) as poison:
        parse(reader(), value)
    assert poison.value.reason is DeadLetterReason.MALFORMED


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-31t09:00:00z", SENT_AT),
        ("2026-01-31 09:00:00Z", SENT_AT),
        ("2026-01-31 12:00:00.250+03:00", SENT_AT + 250),
        ("2026-01-31T08:59:60Z", SENT_AT),
        ("2026-01-31 11:59:60.5+03:00", SENT_AT + 500),
    ],
)
def test_every_form_of_rfc_3339_is_a_time(text: str, expected: int) -> None:
    """RFC 3339 allows lower-case letters and a blank (section 5.6), and a leap second (5.7)."""
    assert read(EVENT, sent_at=text).sent_at == expected


@pytest.mark.parametrize(
    "text", ["2026-01-31 09:00:00", "2026-01-31T08:59:61Z", "2026-01-31 09:00", "2026-01-31 ", " "]
)
def test_times_without_an_offset_are_refused(text: str) -> None:
    """Nobody can know which zone was meant."""
    with pytest.raises(PoisonMessageError, match="sent_at"):
        parse(reader(), orjson.dumps(EVENT | {"sent_at": text}))


@pytest.mark.parametrize("text", [".", ".."])
def test_dot_segments_are_no_ids(text: str) -> None:
    """A poll would ask for another path: HTTP clients resolve dot segments, even if they are percent-encoded."""
    with pytest.raises(PoisonMessageError, match="is no id"):
        parse(reader(), orjson.dumps(EVENT | {"provider_message_id": text}))
    assert read(EVENT, provider_message_id="...").provider_message_id == "..."


def test_ids_are_compared_in_the_accounts_form() -> None:
    """The entry keeps the id as it was sent, and its key has the form in which reports have it."""
    using = reader(DEXATEL__ID_FORM="casefold")
    entry = read(EVENT, using, provider_message_id="0AF6C2")
    assert (entry.provider_message_id, entry.key) == ("0AF6C2", "dexatel:default:0af6c2")
    assert read(EVENT, using).compared_id is UNSET
