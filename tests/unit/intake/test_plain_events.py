"""Plain events are read at once, and become exactly what the way for every form makes of them."""

import json
from collections.abc import Mapping
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.core.errors import PoisonMessageError
from bridge.intake.sent_parser import ParsedRecord, SentParser
from bridge.intake.source_event import SentRecord
from tests.support.sent_events import EVENT, NOW, TIMESTAMP, parser_of

FULL = {
    **EVENT,
    "account": "default",
    "recipient": "37490000000",
    "sender": "ACME",
    "metadata": {"campaign": "autumn", "tenant": "t-1"},
}
DAY = 86_400_000

TIMES = st.datetimes().map(lambda moment: moment.isoformat() + "Z") | st.from_regex(
    r"20(25|26)-1[0-2]-[0-3][0-9][T t][0-2][0-9]:[0-6][0-9]:[0-6][0-9](\.[0-9]{1,9})?(Z|z|[+-][0-2][0-9]:[0-5][0-9])?",
    fullmatch=True,
)
TEXTS = st.sampled_from(
    ["", ".", "..", "a" * 33, "a" * 129, "a" * 1001, "ä", "ä" * 65, "😀" * 33, "dexatel", "default", "nobody", "{}"]
)
VALUES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS
    | st.text(max_size=40)
    | TIMES
    | st.just([FULL])
)
OBJECTS = st.dictionaries(st.text(max_size=5), VALUES, max_size=3)
NAMES = st.sampled_from([*FULL, "scheduled_at", "give_up_at", "specversion", "traceparent", "data", "payload", "other"])
CHANGES = st.dictionaries(NAMES, VALUES | OBJECTS, max_size=3) | st.fixed_dictionaries(
    {"sent_at": TIMES}, optional={"op": VALUES, "source": VALUES, "after": OBJECTS, "__deleted": VALUES}
)


@pytest.fixture(scope="module")
def every_form() -> SentParser:
    """A parser that reads plain events as any other form."""
    parser = parser_of()
    parser._plain_events = None  # noqa: SLF001
    return parser


def outcome(parser: SentParser, record: SentRecord) -> ParsedRecord | tuple[str, str]:
    """What a record becomes."""
    try:
        return parser.parse(record, NOW)
    except PoisonMessageError as poison:
        return poison.reason.value, poison.error


@given(
    CHANGES,
    st.sets(NAMES, max_size=2),
    st.sampled_from([TIMESTAMP, -1, 0, NOW, NOW + 3 * DAY, TIMESTAMP - 3 * DAY]),
    st.booleans(),
)
def test_both_ways_make_the_same(
    every_form: SentParser,
    changes: Mapping[str, Any],
    left_out: set[str],
    timestamp: int,
    escaped: bool,  # noqa: FBT001 - hypothesis gives it
) -> None:
    """Whatever members are missing, of other types, or say, and however they are written."""
    document = {name: value for name, value in {**FULL, **changes}.items() if name not in left_out}
    value = json.dumps(document, ensure_ascii=escaped, allow_nan=False).encode()
    record = SentRecord(value, timestamp=timestamp, origin=("sms.sent", 1, 2))
    assert outcome(parser_of(), record) == outcome(every_form, record)


DEVIATIONS: Mapping[str, dict[str, Any]] = {
    "an empty account": {"account": ""},
    "an unknown account": {"account": "nobody"},
    "dots for an id": {"message_id": "."},
    "dots for the provider's id": {"provider_message_id": ".."},
    "an id of 128 characters": {"message_id": "m" * 128},
    "a time that is rounded": {"sent_at": "2026-01-31T09:00:00.123999Z"},
    "a time of nanoseconds": {"sent_at": "2026-01-31T09:00:00.123499999Z"},
    "a time between two microseconds": {"sent_at": "2026-01-31T09:00:00.1234995Z"},
    "a time before 1970": {"sent_at": "1969-12-31T23:59:59.9999Z"},
    "a time after the record's": {"sent_at": "2026-03-31T09:00:00Z"},
    "a time without an offset": {"sent_at": "2026-01-31T09:00:00"},
    "a leap second": {"sent_at": "2026-01-31T08:59:60Z"},
    "a later start": {"scheduled_at": "2026-02-01T09:00:00Z"},
    "an own deadline": {"give_up_at": "2026-02-01T09:00:00Z"},
    "a trace": {"specversion": "1.0", "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
    "an event in an envelope": {"specversion": "1.0", "data": {**FULL, "message_id": "m-2"}},
    "a change of a table": {"op": "u", "source": {}, "after": {**FULL, "message_id": "m-2"}},
    "a deleted row": {"op": "d", "source": {}, "before": FULL},
    "a change that says nothing": {"op": None, "source": {}, "after": {**FULL, "message_id": "m-2"}},
    "a flag of deletion": {"__deleted": "true"},
    "metadata with other values": {"metadata": {"a": 1, "b": None}},
    "metadata as text": {"metadata": '{"a": "b"}'},
    "a long recipient": {"recipient": "3" * 1001},
}


@pytest.mark.parametrize("what", DEVIATIONS)
def test_deviations_make_the_same(every_form: SentParser, what: str) -> None:
    """Whatever else an event says, and also with what it says in place of what it should."""
    record = SentRecord(orjson.dumps({**FULL, **DEVIATIONS[what]}), timestamp=TIMESTAMP)
    assert outcome(parser_of(), record) == outcome(every_form, record)


@given(st.text("0123456789", min_size=1, max_size=20), st.sampled_from(["Z", "z", "+00:00", "+03:00", "-1200"]))
def test_fractions_make_the_same(every_form: SentParser, fraction: str, offset: str) -> None:
    """In any precision."""
    text = f"2026-01-31T09:00:00.{fraction}{offset}"
    record = SentRecord(orjson.dumps({**FULL, "sent_at": text}), timestamp=TIMESTAMP)
    assert outcome(parser_of(), record) == outcome(every_form, record)


@pytest.mark.parametrize("name", ["message_id", "provider_message_id", "recipient", "sender"])
@pytest.mark.parametrize("text", ["ä" * 64, "ä" * 65, "ä" * 128, "😀" * 32, "😀" * 33, "ä" * 1000])
def test_escaped_letters_make_the_same(every_form: SentParser, name: str, text: str) -> None:
    """Ids are limited in bytes, other texts in characters."""
    record = SentRecord(json.dumps({**FULL, name: text}).encode(), timestamp=TIMESTAMP)
    assert outcome(parser_of(), record) == outcome(every_form, record)


@pytest.mark.parametrize("value", [b"\xff", b'"\xed\xa0\x80"', b"NaN", b"01", b"[" * 5000])
def test_what_is_no_json_makes_the_same(every_form: SentParser, value: bytes) -> None:
    """Also in a member that nobody reads."""
    record = SentRecord(orjson.dumps(FULL)[:-1] + b',"other":' + value + b"}", timestamp=TIMESTAMP)
    assert outcome(parser_of(), record) == outcome(every_form, record)
    assert not isinstance(outcome(every_form, record), ParsedRecord)


def test_half_an_emoji_makes_the_same(every_form: SentParser) -> None:
    """A text that was cut costs no message."""
    for name in ("other", "sender"):
        value = orjson.dumps({**FULL, name: "half"}).replace(b'"half"', b'"Hi \\ud83d"')
        record = SentRecord(value, timestamp=TIMESTAMP)
        assert outcome(parser_of(), record) == outcome(every_form, record)
        assert isinstance(outcome(every_form, record), ParsedRecord)


def test_headers_are_read(every_form: SentParser) -> None:
    """They may have a trace, or the attributes of an envelope."""
    headers = [("traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")]
    record = SentRecord(orjson.dumps(FULL), headers, timestamp=TIMESTAMP)
    assert outcome(parser_of(), record) == outcome(every_form, record)


@pytest.mark.parametrize("document", [FULL, EVENT, {**FULL, "other": [1, None, {"a": 1.5}]}, {**FULL, "sender": None}])
def test_the_usual_events_are_plain(document: Mapping[str, Any]) -> None:
    """The way for every form isn't needed: it doesn't even decode them."""
    parser = parser_of()
    parser._decode = None  # type: ignore[assignment]  # noqa: SLF001
    [entry] = parser.parse(SentRecord(orjson.dumps(document), timestamp=TIMESTAMP), NOW).entries
    assert entry.message_id == EVENT["message_id"]


@pytest.mark.parametrize(
    ("settings", "changes"),
    [
        ({"SENT__FIELDS": {"message_id": "/id"}}, {"id": "m-2"}),
        ({"SENT__CONSTANTS": {"sender": "Bank"}}, {"sender": "ACME"}),
        ({"SENT__PROVIDERS": {"dx": "dexatel"}}, {"provider": "dx"}),
        ({"SENT__WHERE": {"/kind": ["sms"]}}, {"kind": "email"}),
        ({"SENT__EACH": "/parts"}, {"parts": [{"provider_message_id": "p-1"}]}),
    ],
)
def test_a_mapping_is_never_passed_over(settings: Mapping[str, Any], changes: Mapping[str, Any]) -> None:
    """An event may look plain although settings say that its members are elsewhere."""
    record = SentRecord(orjson.dumps({**FULL, **changes}), timestamp=TIMESTAMP)
    assert outcome(parser_of(**settings), record) != outcome(parser_of(), record)
