"""Which messages a list has: by the beginning of an id, number, provider, status and time; the newest ones."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.core.attempt import Followed
from bridge.core.delivery import Status
from bridge.core.entries import AttemptKey
from bridge.history.message_rows import NO_REPORT, MessageFilter, MessageRow, NewestRows
from tests.support.core.story import SENT_AT, fold_entries, report, sent

KEY = AttemptKey("dexatel", "default", "0AF6c2-77")
ROW = MessageRow(
    *(str(KEY), "Order-4711", *KEY, "+447700900123", SENT_AT, "rejected", "not_delivered", "network"),
    *(True, False, SENT_AT + 1000),
)


def matches(text: str = "", row: MessageRow = ROW, **changes: Any) -> bool:
    """Return whether a list with this text and filters has the row."""
    members: dict[str, Any] = {"is_recipient": None, "provider": "", "status": "", "since": 0, **changes}
    chosen = MessageFilter(text, **members)
    return chosen.names(row) and chosen.accepts(row)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", True),
        ("order-4711", True),
        ("ORDER-47", True),
        ("orde", True),
        ("ord", False),  # too short for the beginning of an id
        ("rder-4711", False),
        ("order-4711-1", False),
        ("0af6C2", True),
        ("dexatel:0AF6", True),
        ("dexatel:default:0af6c2-77", True),
        ("speedocom:0AF6", False),
        ("dexatel", True),
        ("%", False),
    ],
)
def test_ids_match_by_their_beginning_in_any_case(text: str, expected: bool) -> None:  # noqa: FBT001 - a row of a table
    """Those of the sender and of the provider, with and without the provider's name."""
    assert matches(text) is expected


def test_a_short_id_matches_as_a_whole() -> None:
    """A text below the shortest beginning is compared with whole ids."""
    assert matches("7", ROW._replace(message_id="7"))
    assert not matches("7", ROW._replace(message_id="77"))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"status": "rejected"}, True),
        ({"status": "not_delivered"}, True),
        ({"status": "delivered"}, False),
        ({"status": NO_REPORT}, False),
        ({"provider": "dexatel"}, True),
        ({"provider": "speedocom"}, False),
        ({"since": SENT_AT}, True),
        ({"since": SENT_AT + 1}, False),
    ],
)
def test_filters(changes: dict[str, Any], expected: bool) -> None:  # noqa: FBT001 - a row of a table
    """A status may be an outcome as well; times are when the message was sent."""
    assert matches(**changes) is expected
    assert matches(is_recipient=lambda number: number == "+447700900123", text="447700900123", **changes) is expected


def test_message_without_a_report() -> None:
    """It is found by its own filter, and isn't in progress for the filter of outcomes."""
    row = MessageRow.from_sent(sent())
    assert (row.status, row.outcome, row.recipient) == (None, "in_progress", "254700000001")
    assert matches(row=row, status=NO_REPORT)
    assert not matches(row=row, status="in_progress")


def test_row_of_a_state_has_the_senders_id() -> None:
    """Where reports have it in another form, and the status that wasn't published."""
    state = fold_entries([sent(), report(Status.SENT)]).state
    assert isinstance(state, Followed)
    row = MessageRow.from_state(AttemptKey("dexatel", "default", "p1"), state)
    assert (row.attempt, row.status, row.updated_at) == ("dexatel:default:p1", "sent", None)


@given(st.lists(st.tuples(st.integers(0, 30), st.booleans())), st.integers(1, 4), st.integers(1, 8))
def test_the_newest_rows_are_kept(changes: list[tuple[int, bool]], limit: int, candidates: int) -> None:
    """As if all were kept; only where one is taken away after others had no room, there may be fewer."""
    kept, model = NewestRows(limit, candidates), {}
    for name, stays in changes:
        row = ROW._replace(attempt=str(name), sent_at=SENT_AT + name)  # an attempt's time doesn't change
        if stays:
            kept.set(row)
            model[row.attempt] = row
        else:
            kept.drop(row.attempt)
            model.pop(row.attempt, None)
    expected = sorted(model.values(), key=lambda row: row.sent_at, reverse=True)[:limit]
    found = kept.newest()
    assert found == expected[: len(found)]
    assert kept.left_out or (found == expected and len(model) <= limit)
