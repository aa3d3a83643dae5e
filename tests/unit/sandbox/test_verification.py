"""The verification accepts correct events and finds each violation."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from bridge.core.delivery import RANKS, Status, make_event_id
from bridge.sandbox.demo.verification import (
    EXPECTED_DEAD_LETTERS,
    ExpectedResult,
    VerificationResult,
    Violation,
    verify,
)

KEY = "dexatel:default:d-1"
OTHER = "speedocom:default:42"
EXPECTED = {KEY: ExpectedResult("m-1", Status.DELIVERED), OTHER: ExpectedResult("m-2", Status.UNKNOWN)}


def make_events(key: str, *statuses: Status) -> Iterator[dict[str, Any]]:
    """Yield the correct events of an attempt with these statuses."""
    provider, account, provider_message_id = key.split(":")
    message_id = EXPECTED[key].message_id
    for number, status in enumerate(statuses, 1):
        before = statuses[number - 2] if number > 1 else None
        final_before = before is not None and RANKS[before] == RANKS[Status.UNKNOWN]
        yield {
            "event_id": make_event_id(message_id, key, number),
            "message_id": message_id,
            "provider": provider,
            "account": account,
            "provider_message_id": provider_message_id,
            "status": status.value,
            "final": RANKS[status] == RANKS[Status.UNKNOWN],
            "previous_status": before,
            "sequence": number,
            "corrects": make_event_id(message_id, key, number - 1) if final_before else None,
        }


def make_correct_events() -> list[dict[str, Any]]:
    """Return the correct events of two attempts, one with a correction."""
    corrected = make_events(KEY, Status.PENDING, Status.SENT, Status.FAILED, Status.DELIVERED)
    return [*corrected, *make_events(OTHER, Status.PENDING, Status.UNKNOWN)]


def violations_of(result: VerificationResult) -> set[Violation]:
    """Return the kinds of violations in a result."""
    return {finding.violation for finding in result.findings}


def test_correct_events_have_no_violation() -> None:
    """Interim events, a correction and a message that ends at its deadline are correct."""
    result = verify(EXPECTED, make_correct_events())
    assert result == VerificationResult(messages=2, ended=2, events=6, corrections=1, findings=())
    assert result.ok


@pytest.mark.parametrize(
    ("written", "reasons"),
    [
        (EXPECTED_DEAD_LETTERS, []),
        ({}, ["invalid"]),
        ({"invalid": 2}, ["invalid"]),
        ({"invalid": 1, "unreadable": 3}, ["unreadable"]),
    ],
)
def test_dead_letters_are_those_that_are_sent_on_purpose(written: Mapping[str, int], reasons: list[str]) -> None:
    """None is missing, and there is no other."""
    result = verify(EXPECTED, make_correct_events(), written)
    assert [finding.key for finding in result.findings] == reasons
    assert violations_of(result) <= {Violation.DEAD_LETTERS}


Change = Callable[[list[dict[str, Any]]], Any]

CHANGES: dict[str, tuple[Change, set[Violation]]] = {
    "no event at all": (lambda events: events.__delitem__(slice(4, 6)), {Violation.LOST}),
    "no final event": (lambda events: events.pop(), {Violation.LOST}),
    "a correction that never came": (lambda events: events.pop(3), {Violation.WRONG}),
    "another end than the truth": (lambda events: events[5].update(status="delivered"), {Violation.WRONG}),
    "an event published again": (lambda events: events.append(events[1]), {Violation.DUPLICATED}),
    "a number used twice": (
        lambda events: events.insert(6, {**events[5], "event_id": "x", "corrects": events[5]["event_id"]}),
        {Violation.DUPLICATED},
    ),
    "a number left out": (lambda events: events.pop(0), {Violation.GAPS}),
    "an interim status after a later one": (
        lambda events: (events[1].update(status="pending"), events[0].update(status="sent")),
        {Violation.MOVED_BACK},
    ),
    "events in the wrong order": (lambda events: events.insert(0, events.pop(1)), {Violation.MOVED_BACK}),
    "a previous status that wasn't": (
        lambda events: events[2].update(previous_status="pending"),
        {Violation.MOVED_BACK},
    ),
    "a second end that corrects nothing": (lambda events: events[3].update(corrects=None), {Violation.UNLINKED}),
    "a correction of nothing": (lambda events: events[1].update(corrects="x"), {Violation.UNLINKED}),
    "another message's id": (lambda events: events[4].update(message_id="m-1"), {Violation.UNEXPECTED}),
    "a message that nobody sent": (
        lambda events: events.append({**events[4], "event_id": "x", "provider_message_id": "43"}),
        {Violation.UNEXPECTED},
    ),
}


@pytest.mark.parametrize(("change", "expected"), CHANGES.values(), ids=CHANGES)
def test_each_violation_is_found(change: Change, expected: set[Violation]) -> None:
    """Each change of correct events gives exactly its violation."""
    events = make_correct_events()
    change(events)
    result = verify(EXPECTED, events)
    assert violations_of(result) == expected
    assert not result.ok
    assert all(result.count_messages_with(violation) == 1 for violation in expected)
