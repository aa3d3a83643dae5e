"""An optional member never costs a message, whatever a sender writes into it."""

from typing import Any

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bridge.core.entries import MAX_AHEAD_MS, Sent
from bridge.core.errors import DeadLetterReason, PoisonMessageError
from bridge.intake.field_mapping import ID_MEMBERS
from bridge.intake.source_event import SentRecord
from tests.support.schemas.validators import load_validator
from tests.support.sent_events import EVENT, NOW, SENT_AT, TIMESTAMP, outcome_of, parse, parser_of, record_of

OPTIONAL = ("sent_at", "scheduled_at", "give_up_at", "recipient", "sender", "metadata")
HOUR, DAY = 3_600_000, 86_400_000
PARSER = parser_of()

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abc", max_size=5), inner, max_size=4),
    max_leaves=10,
)


def entry_of(members: dict[str, Any]) -> tuple[Sent, list[str]]:
    """Parse an event with these members: its entry, and the names of what was ignored."""
    found = parse({**EVENT, **members}, PARSER)
    (entry,) = found.entries
    return entry, [one.member for one in found.ignored]


@given(st.dictionaries(st.sampled_from(OPTIONAL), JSON))
@example({"metadata": {"a": [1, {"b": None}]}, "recipient": {}, "sent_at": True})
def test_any_value_of_an_optional_member_is_survived(members: dict[str, Any]) -> None:
    """The attempt is followed, for a bounded time, and read again it is the same."""
    entry, ignored = entry_of(members)
    assert (entry.message_id, entry.key) == ("m-1", "dexatel:default:0042")
    assert entry.sent_at <= TIMESTAMP + MAX_AHEAD_MS
    assert all(isinstance(text, str) for text in entry.metadata.values())
    assert set(ignored) <= {*members, "sent_at"}
    (again,) = PARSER.parse(record_of({**EVENT, **members}), NOW + 30 * DAY).entries
    assert again == entry


@given(st.dictionaries(st.sampled_from([*EVENT, *OPTIONAL, "account"]), JSON))
def test_what_the_schema_allows_is_taken(members: dict[str, Any]) -> None:
    """An event that a sender wrote by the published schema loses nothing, except a time out of bounds."""
    event = {**EVENT, **members}
    if not load_validator("sms.sent.v1").is_valid(event) or any(isinstance(event[name], float) for name in ID_MEMBERS):
        return
    outcome = outcome_of(event, PARSER)
    if isinstance(outcome, PoisonMessageError):
        assert outcome.reason in {DeadLetterReason.UNKNOWN_PROVIDER, DeadLetterReason.UNKNOWN_ACCOUNT} or any(
            len(str(event[name]).encode()) > 128 or event[name] in {".", ".."} for name in ID_MEMBERS
        )
    else:
        assert {one.member for one in outcome.ignored} <= {"sent_at", "scheduled_at", "give_up_at"}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (7, "7"),
        (1.5, "1.5"),
        (False, "false"),
        (["a", "b"], '["a","b"]'),
        ({"id": "u1", "n": None}, '{"id":"u1","n":null}'),
        ("as it is", "as it is"),
        ("", ""),
    ],
)
def test_metadata_becomes_text(value: Any, text: str) -> None:
    """A value that isn't text becomes JSON text; nothing of it is lost, so nothing is counted."""
    entry, ignored = entry_of({"metadata": {"k": value, "other": "x", "none": None}})
    assert (entry.metadata, ignored) == ({"k": text, "other": "x"}, [])


@pytest.mark.parametrize("value", [[1], 7, "text", True])
def test_metadata_that_is_no_object_is_dropped(value: Any) -> None:
    """It has no names."""
    assert entry_of({"metadata": value})[0].metadata == {}
    assert entry_of({"metadata": value})[1] == ["metadata"]
    assert entry_of({"metadata": '{"a":1}'})[0].metadata == {"a": "1"}


def test_deeply_nested_metadata_is_dropped() -> None:
    """JSON is read more levels deep than it can be written."""
    value = orjson.dumps(EVENT)[:-1] + b',"metadata":{"a":' + b"[" * 500 + b"]" * 500 + b"}}"
    found = PARSER.parse(SentRecord(value, timestamp=TIMESTAMP), NOW)
    assert [one.member for one in found.ignored] == ["metadata"]
    assert found.entries[0].metadata == {}


def test_numbers_are_digits() -> None:
    """A phone number or a short code may be a number."""
    entry, ignored = entry_of({"recipient": 254700000001, "sender": 40404})
    assert (entry.recipient, entry.sender, ignored) == ("254700000001", "40404", [])


@pytest.mark.parametrize("value", [1.5, True, [], {"a": 1}, "9" * 1_001])
def test_what_is_no_name_is_dropped(value: Any) -> None:
    """Neither a list nor a text of any length is a phone number."""
    entry, ignored = entry_of({"recipient": value, "sender": value})
    assert (entry.recipient, entry.sender, ignored) == (None, None, ["recipient", "sender"])


@pytest.mark.parametrize(
    "value",
    [
        "2026-01-31T09:00:00Z",
        "2026-01-31 09:00:00+00:00",
        "Sat, 31 Jan 2026 09:00:00 GMT",
        SENT_AT,
        SENT_AT // 1000,
        SENT_AT * 1000,
        str(SENT_AT),
        f"{SENT_AT // 1000}.0",
    ],
)
def test_every_clear_form_of_a_time_is_read(value: Any) -> None:
    """Without a setting: seconds to microseconds since the epoch, and text with an offset."""
    entry, ignored = entry_of({"sent_at": value, "scheduled_at": value, "give_up_at": value})
    assert (entry.sent_at, ignored) == (SENT_AT, ["give_up_at"])


@pytest.mark.parametrize(
    "value",
    [
        None,
        "yesterday",
        "2026-01-31 09:00:00",
        "01/02/2026",
        7,
        True,
        [],
        "0001-01-01T00:00:00Z",
        "1970-01-01T00:00:00Z",
    ],
)
def test_the_records_timestamp_takes_the_place(value: Any) -> None:
    """What is no time, or could be two, isn't guessed; neither is a date that programs write for none."""
    entry, ignored = entry_of({"sent_at": value})
    assert (entry.sent_at, ignored) == (TIMESTAMP, ["sent_at"])


def test_no_attempt_starts_in_the_future() -> None:
    """A sending time more than a day after the record's is a mistake, whenever it is read."""
    ahead = TIMESTAMP + MAX_AHEAD_MS
    assert entry_of({"sent_at": ahead})[0].sent_at == ahead
    for now in (NOW, NOW + 900 * DAY):
        found = PARSER.parse(record_of({**EVENT, "sent_at": ahead + 1}), now)
        assert found.entries[0].sent_at == TIMESTAMP
        assert [one.member for one in found.ignored] == ["sent_at"]


@pytest.mark.parametrize("timestamp", [-1, 0, 1_000, NOW + MAX_AHEAD_MS + 1, 2**62])
def test_without_any_time_there_is_a_dead_letter(timestamp: int) -> None:
    """Our own time would be another one whenever the record is read again."""
    assert parse(EVENT, PARSER, timestamp=timestamp).entries[0].sent_at == SENT_AT
    with pytest.raises(PoisonMessageError, match="sent_at: missing") as poison:
        parse({**EVENT, "sent_at": None}, PARSER, timestamp=timestamp)
    assert poison.value.reason is DeadLetterReason.INVALID
    with pytest.raises(PoisonMessageError, match="more than a day"):
        parse({**EVENT, "sent_at": NOW + MAX_AHEAD_MS + 1}, PARSER, timestamp=timestamp)


def test_a_deadline_before_the_start_is_dropped() -> None:
    """It would end the message at once."""
    entry, ignored = entry_of({"give_up_at": "2026-01-31T09:00:00Z"})
    assert (entry.gives_up_at, ignored) == (SENT_AT + 47 * HOUR, ["give_up_at"])


@given(st.sampled_from([*ID_MEMBERS, "provider"]), JSON)
def test_without_identity_there_is_a_dead_letter(member: str, value: Any) -> None:
    """Whatever stands there, the record is followed with it or becomes a dead letter that names the member."""
    outcome = outcome_of({**EVENT, member: value}, PARSER)
    if isinstance(outcome, PoisonMessageError):
        assert outcome.error.startswith(member)
    else:
        assert getattr(outcome.entries[0], member) == str(value)
