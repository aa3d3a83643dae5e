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
from bridge.intake.sent_parser import SentParser
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
)


@pytest.mark.parametrize("recipient", ["keep", "drop"])
def test_any_record_has_a_way_out(recipient: str) -> None:
    """A record that can't be parsed raises a foreseen error; its dead letter has all that may be kept."""
    config = settings_of(PRIVACY__RECIPIENT=recipient)
    privacy = Privacy(config.privacy)
    parser = SentParser(config.sent, build_accounts(config), privacy, config.follow.max_follow)
    letters = DeadLetters("dead", 3, MAX_BYTES, privacy, Counter("letters", "letters", ["reason"], registry=None))

    @settings(max_examples=400, deadline=None)
    @example(OddRecord(None, orjson.dumps(EVENT), [("x", None), ("traceparent", None), ("content-type", None)]))
    @example(OddRecord(None, encode({"specversion": "1.0", "data_base64": "\u00e9"}), []))
    @given(RECORDS)
    def check(record: OddRecord) -> None:
        find_traceparent(record.headers)
        try:
            parser.parse(record.value, NOW, record.headers, ("sms.sent", 0, 1))
        except PoisonMessageError as poison:
            parser.find_message_id(record.value)
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
