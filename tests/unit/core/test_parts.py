"""Parts of long messages: delivered when all parts are, else what the worst of them is."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.core.attempt import Followed, Parked, Policy, State
from bridge.core.delivery import Delivery, Reason, Source, Status, Verdict
from bridge.core.entries import MAX_PARTS, Entry, Part, Report, Sent
from bridge.core.lifecycle import EntryPosition, FoldOutcome, expire, fold
from bridge.core.parts import SEVERITY, find_worst

KEY = "acme:default:7"
SENT = Sent("m-1", "acme", "default", "7", 1_000, 1_000, 100_000)
VERDICTS = {
    "D": Verdict(Status.DELIVERED),
    "S": Verdict(Status.SENT),
    "U": Verdict(Status.UNDELIVERED, Reason.ABSENT_SUBSCRIBER, permanent=False),
    "R": Verdict(Status.REJECTED, Reason.UNSPECIFIED, permanent=True),
    "E": Verdict(Status.EXPIRED, Reason.VALIDITY_EXPIRED),
}


def make_report(word: str, part: str, total: int) -> Report:
    """Make a part's report."""
    verdict = VERDICTS[word]
    told: tuple[Any, ...] = (word, f"code of {word}", {}, None, Source.CALLBACK, 2_000, "raw", Part(part, total))
    return Report("acme", "default", "7", verdict.status, verdict.reason, verdict.permanent, *told)


def run(words: Sequence[str], total: int, *, sent_last: bool = False) -> tuple[State, list[Delivery]]:
    """Fold reports, each word a part's number and its status, and return the state and the events."""
    reports = [make_report(word[-1], word[:-1], total) for word in words]
    state: State = None
    events: list[Delivery] = []
    entries: list[Entry] = [*reports, SENT] if sent_last else [SENT, *reports]
    for offset, entry in enumerate(entries):
        folded = fold(KEY, state, entry, EntryPosition(offset, 3_000), Policy())
        state = folded.state
        events += [one.delivery for one in folded.publications]
    return state, events


@pytest.mark.parametrize("sent_last", [False, True])
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("1U 2D 3D", "sent undelivered"),
        ("1D 2U 3D", "sent undelivered"),
        ("1D 2D 3D", "sent delivered"),
        ("1D 1D 1D 2D", "sent"),
        ("1S 2S", "sent"),
        ("1U 2R 3E", "sent rejected"),
        ("1D 2D 3U 3D", "sent undelivered delivered"),
        ("1D 2D 3D 3U", "sent delivered"),
        ("1U 2D 3S 3D", "sent undelivered"),
    ],
)
def test_the_message_is_what_its_parts_are(words: str, expected: str, *, sent_last: bool) -> None:
    """In whatever order sent and reports come, no part's word overrules another one's."""
    _, events = run(words.split(), 3, sent_last=sent_last)
    assert " ".join(event.status for event in events) == expected
    if events[-1].status is Status.UNDELIVERED:
        assert (events[-1].provider_status, events[-1].provider_code) == ("U", "code of U")
        assert events[-1].reason is Reason.ABSENT_SUBSCRIBER


@pytest.mark.parametrize(
    ("words", "expected"),
    [("1U", (Status.UNDELIVERED, "U")), ("1D", (Status.UNKNOWN, None)), ("1D 2E 3R", (Status.REJECTED, "R"))],
)
def test_a_deadline_ends_with_what_is_known(words: str, expected: tuple[Status, str | None]) -> None:
    """A message with a part that wasn't delivered wasn't delivered."""
    state, _ = run(words.split(), 4)
    assert isinstance(state, Followed)
    (publication,) = expire(KEY, state, 100_000, Policy()).publications
    assert (publication.delivery.status, publication.delivery.provider_status) == expected
    assert publication.delivery.source is Source.DEADLINE


def test_parts_have_a_bound() -> None:
    """More than a message can have are late."""
    state, _ = run([f"{number}S" for number in range(300)], 255)
    assert isinstance(state, Followed)
    assert len(state.parts) == 255
    folded = fold(KEY, state, make_report("D", "x", 255), EntryPosition(400, 3_000), Policy())
    assert folded.outcome is FoldOutcome.LATE


@given(words=st.permutations([f"{part}{word}" for part in "12" for word in "DURS"]), sent_last=st.booleans())
def test_the_order_of_other_parts_makes_no_difference(words: list[str], *, sent_last: bool) -> None:
    """Each part ends as it would alone, and the message as the worst of them."""
    state, events = run(words, 2, sent_last=sent_last)
    assert isinstance(state, Followed)
    worst = find_worst(state.parts)
    assert state.status is (worst.verdict.status if worst else Status.DELIVERED)
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))


def test_every_final_status_has_a_severity() -> None:
    """Of those that aren't delivered."""
    assert set(SEVERITY) == {one for one in Status if Verdict(one).final} - {Status.DELIVERED}


def test_parked_reports_of_all_parts_are_kept() -> None:
    """The first of each status of each part."""
    state: State = None
    for offset, word in enumerate(["1D", "2D", "1D", "2U"]):
        state = fold(KEY, state, make_report(word[-1], word[:-1], 2), EntryPosition(offset, 3_000), Policy()).state
    assert isinstance(state, Parked)
    assert [(one.part and one.part.name, one.provider_status) for one in state.reports] == [
        ("1", "D"),
        ("2", "D"),
        ("2", "U"),
    ]


def test_parked_reports_have_a_bound() -> None:
    """However many parts are reported before the message is known; none keeps its text."""
    state: State = None
    for number in range(MAX_PARTS + 50):
        state = fold(KEY, state, make_report("S", str(number), 255), EntryPosition(number, 3_000), Policy()).state
    assert isinstance(state, Parked)
    assert len(state.reports) == MAX_PARTS
    assert {one.raw for one in state.reports} == {""}
