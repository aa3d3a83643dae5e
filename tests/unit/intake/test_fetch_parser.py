"""What the records of a fetch become: entries and dead letters in order, what is counted, and what is logged once."""

from typing import Any, NamedTuple

import orjson
import pytest
from msgspec.structs import asdict
from prometheus_client import Counter
from structlog.testing import capture_logs

from bridge.dead_letters import DeadLetter, DeadLetters
from bridge.intake import fetch_parser
from bridge.intake.fetch_parser import FetchParser, ParsedFetch
from bridge.journal.serde import decode_entry
from bridge.journal.writer import JournalWriter
from bridge.kafka.batching_producer import BatchingProducer
from bridge.privacy import Privacy
from tests.support.sent_events import EVENT, TIMESTAMP, parser_of
from tests.support.settings import settings_of

MAX_ENTRY_BYTES = 4_000


class FetchedRecord(NamedTuple):
    """A record as Kafka's client has it."""

    value: bytes | None
    offset: int = 0
    key: bytes | None = b"k"
    headers: tuple[tuple[str, bytes | None], ...] = ()
    timestamp: int = TIMESTAMP
    topic: str = "sms.sent"
    partition: int = 3


def fetch_parser_of(**settings: Any) -> FetchParser:
    """Make a parser for a journal that takes small entries only."""
    privacy = Privacy(settings_of().privacy)
    letters = DeadLetters("dead", 1, 64 * 1024, privacy, Counter("letters", "letters", ["reason"], registry=None))
    producer = BatchingProducer(None)  # type: ignore[arg-type]  # nothing is sent here
    return FetchParser(parser_of(**settings), JournalWriter(producer, "journal", 1, 2 * MAX_ENTRY_BYTES), letters)


def parse_all(parser: FetchParser, *documents: Any) -> ParsedFetch:
    """Parse records with these values."""
    parsed = ParsedFetch()
    for offset, document in enumerate(documents):
        value = document if isinstance(document, bytes | None) else orjson.dumps(document)
        parser.parse(FetchedRecord(value, offset), parsed)
    return parsed


def test_records_keep_their_order() -> None:
    """The first sent event of an attempt wins, and dead letters stand between entries."""
    events = [{**EVENT, "message_id": f"m-{number}"} for number in range(3)]
    parsed = parse_all(fetch_parser_of(), events[0], b"{", None, events[1], {**events[2], "provider": "pigeon"})
    assert [record.topic for record in parsed.records] == ["journal", "dead", "journal", "dead"]
    assert [entry.message_id for entry in parsed.entries] == ["m-0", "m-1"]
    assert [entry.origin for entry in parsed.entries] == [("sms.sent", 3, 0), ("sms.sent", 3, 3)]
    assert dict(parsed.dead_letters) == {"malformed": 1, "unknown_provider": 1}
    assert dict(parsed.skipped) == {"tombstone": 1}


def test_a_member_is_logged_once() -> None:
    """In a process, and counted each time; nothing of its value is logged."""
    parser = fetch_parser_of()
    bad = {**EVENT, "recipient": ["+254700000001"], "sender": 1.5}
    with capture_logs() as lines:
        parsed = [parse_all(parser, bad, bad), parse_all(parser, bad)]
    assert [dict(one.ignored) for one in parsed] == [{"recipient": 2, "sender": 2}, {"recipient": 1, "sender": 1}]
    assert [line["member"] for line in lines] == ["recipient", "sender"]
    assert lines[0]["why"] == "not text"
    assert (lines[0]["topic"], lines[0]["partition"], lines[0]["offset"]) == ("sms.sent", 3, 0)
    assert "254700000001" not in str(lines)


def test_metadata_that_is_too_large_is_left_out() -> None:
    """What is essential fits always."""
    large = {**EVENT, "metadata": {"x": "y" * MAX_ENTRY_BYTES}, "sender": "ACME"}
    parsed = parse_all(fetch_parser_of(), large, EVENT)
    assert [(entry.metadata, entry.key) for entry in parsed.entries] == [({}, "dexatel:default:0042")] * 2
    assert parsed.entries[0].sender == "ACME"
    assert (dict(parsed.ignored), dict(parsed.dead_letters)) == ({"metadata": 1}, {})
    assert decode_entry(parsed.records[0].value or b"") == parsed.entries[0]


def test_what_is_still_too_large_is_one_dead_letter() -> None:
    """Also of a record with several attempts; the others are followed."""
    parser = fetch_parser_of(SENT__EACH="/list", SENT__FIELDS={"provider_message_id": "/id"})
    long = "ü" * 1_000
    elements = [
        {"id": "a", "recipient": long, "sender": long},
        {"id": "b"},
        {"id": "c", "recipient": long, "sender": long},
    ]
    parsed = parse_all(parser, {**EVENT, "list": elements})
    assert [entry.provider_message_id for entry in parsed.entries] == ["b"]
    assert dict(parsed.dead_letters) == {"too_large": 1}
    assert [record.topic for record in parsed.records] == ["journal", "dead"]


def test_bad_elements_share_a_dead_letter() -> None:
    """It has the record's original bytes, once for each reason."""
    parser = fetch_parser_of(SENT__EACH="/list", SENT__FIELDS={"provider_message_id": "/id"})
    event = {**EVENT, "list": [{}, {"id": "b"}, {}, {"id": "d", "account": "nobody"}]}
    parsed = parse_all(parser, event)
    letters = [DeadLetter.parse(_read(record)) for record in parsed.records[1:]]
    assert [letter.reason for letter in letters] == ["invalid", "unknown_account"]
    assert {letter.value for letter in letters} == {orjson.dumps(event)}
    assert letters[0].error == "/list/0: provider_message_id: missing; looked for at /id; likewise 1 more: 2"
    assert {letter.source for letter in letters} == {("sms.sent", 3, 0)}


def _read(record: Any) -> Any:
    return type("Read", (), {**asdict(record), "offset": 0})


def test_the_entries_of_a_record_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each repeats the record's metadata: beyond the bound, they go without it."""
    parser = fetch_parser_of(SENT__EACH="/list", SENT__FIELDS={"provider_message_id": ""})
    event = {**EVENT, "metadata": {"x": "y" * 1_000}, "list": [f"id-{number}" for number in range(20)]}
    monkeypatch.setattr(fetch_parser, "MAX_RECORD_BYTES", 10_000)
    parsed = parse_all(parser, event)
    with_metadata = [entry for entry in parsed.entries if entry.metadata]
    assert (len(parsed.entries), len(with_metadata)) == (20, 8)
    assert dict(parsed.ignored) == {"metadata": 12}
    assert sum(record.size for record in parsed.records) == parsed.multiplied_bytes < 15_000


def test_keys_are_decoded_only_if_something_is_read_from_them() -> None:
    """A key of other software may look as if it named a schema."""
    record = FetchedRecord(b"value")
    assert list(fetch_parser_of().list_encoded([record])) == [b"value"]
    assert list(fetch_parser_of(SENT__FIELDS={"message_id": "key:"}).list_encoded([record])) == [b"value", b"k"]


def test_an_unforeseen_error_costs_one_record(monkeypatch: pytest.MonkeyPatch) -> None:
    """It becomes a dead letter, and the next one is parsed."""
    parser = fetch_parser_of()

    def fail(*_: Any) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patched:
        patched.setattr(parser._parser, "parse", fail)  # noqa: SLF001 - nothing raises it otherwise
        assert dict(parse_all(parser, EVENT).dead_letters) == {"internal": 1}
    assert [entry.message_id for entry in parse_all(parser, EVENT).entries] == ["m-1"]
