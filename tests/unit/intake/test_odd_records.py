"""With any record, parsing ends in an entry or an error that was foreseen, and a dead letter can be made."""

import base64
from typing import Any, NamedTuple

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from prometheus_client import Counter

from bridge.accounts import build_accounts
from bridge.core.errors import PoisonMessageError
from bridge.dead_letters import DeadLetter, DeadLetters, SourcePosition
from bridge.intake.sent_parser import make_sent_parser
from bridge.intake.source_event import SentRecord
from bridge.observability.tracing import find_traceparent
from bridge.privacy import Privacy
from tests.support.settings import settings_of

NOW = 1_769_850_001_000
MAX_BYTES = 64 * 1024

EVENT = {
    "message_id": "m-1",
    "provider": "dexatel",
    "provider_message_id": "1",
    "sent_at": "2026-01-31T12:00:00+03:00",
    "recipient": "+254700000001",
}
DEPTHS = (100, 500, 900, 990, 1_000, 1_020, 1_500, 100_000)


class OddRecord(NamedTuple):
    """The parts of a record that a sender controls."""

    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]]
    timestamp: int = -1


def nest(depth: int, opening: str = '{"a":', inner: str = '"+254700000001"', closing: str = "}") -> str:
    """Nest a member so many levels deep."""
    return opening * depth + inner + closing * depth


HEADER_NAMES = st.one_of(
    st.sampled_from(["traceparent", "ce_specversion", "ce_id", "ce_traceparent", "content-type", "Content-Type"]),
    st.text(max_size=20),
)
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=30)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=10), inner, max_size=4)),
    max_leaves=12,
)
ENCODED = st.one_of(
    st.text(max_size=40), st.binary(max_size=40).map(lambda data: base64.b64encode(data).decode()), JSON
)


def encode(document: Any) -> bytes:
    """Encode a document, or replace what JSON can't hold."""
    try:
        return orjson.dumps(document)
    except orjson.JSONEncodeError:
        return repr(document).encode("utf-8", "backslashreplace")


VALUES = st.one_of(
    st.none(),
    st.binary(max_size=200),
    st.builds(lambda name, member: encode({**EVENT, name: member}), st.sampled_from([*EVENT, "metadata", "x"]), JSON),
    st.builds(lambda member: encode({"schema": {}, "payload": member}), JSON),
    st.builds(lambda op, after: encode({**EVENT, "op": op, "source": {}, "after": after}), JSON, JSON),
    st.builds(lambda list_, value: encode({**EVENT, "list": list_, "x": value}), JSON, JSON),
    st.builds(lambda member: encode({"specversion": "1.0", "data_base64": member, "traceparent": member}), ENCODED),
    st.builds(
        lambda depth, opening: (
            orjson.dumps(EVENT)[:-1]
            + b',"x":'
            + nest(depth, opening, closing="]" if opening == "[" else "}").encode()
            + b"}"
        ),
        st.sampled_from(DEPTHS),
        st.sampled_from(["[", '{"a":']),
    ),
)
RECORDS = st.builds(
    OddRecord,
    st.one_of(st.none(), st.binary(max_size=40)),
    VALUES,
    st.lists(st.tuples(HEADER_NAMES, st.one_of(st.none(), st.binary(max_size=40))), max_size=4),
    st.sampled_from([-1, 0, NOW, 2**62]),
)


LAYOUT = {
    "SENT__EACH": "/list",
    "SENT__FIELDS": '{"message_id":["key:/a","key:"],"provider_message_id":["","/a","//x/a","header:x"]}',
    "SENT__WHERE": '{"header:content-type":["a",null],"//provider":["dexatel",null]}',
}


@pytest.mark.parametrize("layout", [{}, LAYOUT], ids=["ours", "theirs"])
@pytest.mark.parametrize("recipient", ["keep", "drop"])
def test_any_record_has_a_way_out(recipient: str, layout: dict[str, str]) -> None:
    """A record that can't be parsed raises a foreseen error; its dead letter has all that may be kept."""
    config = settings_of(PRIVACY__RECIPIENT=recipient, **layout)
    privacy = Privacy(config.privacy)
    parser = make_sent_parser(config, build_accounts(config), privacy)
    letters = DeadLetters("dead", 3, MAX_BYTES, privacy, Counter("letters", "letters", ["reason"], registry=None))

    @settings(max_examples=400, deadline=None)
    @example(OddRecord(None, orjson.dumps(EVENT), [("x", None), ("traceparent", None), ("content-type", None)]))
    @example(OddRecord(None, encode({"specversion": "1.0", "data_base64": "\u00e9"}), []))
    @given(RECORDS)
    def check(record: OddRecord) -> None:
        find_traceparent(record.headers)
        sent = SentRecord(record.value, record.headers, record.key, record.timestamp, ("sms.sent", 0, 1))
        try:
            parser.parse(sent, NOW)
        except PoisonMessageError as poison:
            parser.find_message_id(sent)
            letter = DeadLetter(
                reason=poison.reason.value,
                error=poison.error,
                key=record.key,
                value=record.value or b"",
                received_at=NOW,
                source=SourcePosition("sms.sent", 0, 1),
            )
            written = letters.to_record(letter)
            if recipient == "keep":
                assert (written.key, written.value) == (
                    record.key,
                    (record.value or b"")[: MAX_BYTES - 4096 - len(record.key or b"")],
                )
            elif record.value is not None and b"+254700000001" in record.value:
                assert b"254700000001" not in (written.value or b"")

    check()
