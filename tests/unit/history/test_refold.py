"""An attempt's history, folded again from its entries."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.core.attempt import Followed, Parked, State
from bridge.core.delivery import Delivery, Source, Status
from bridge.core.entries import Entry
from bridge.core.lifecycle import EntryPosition, FoldOutcome, expire, fold
from bridge.dead_letters import DeadLetter, SourcePosition
from bridge.history.letter_selection import compile_mention, make_letter_selector
from bridge.history.refold import UNKNOWN, WAITING, AttemptRecords, JournaledEntry, PublishedEvent, Timeline
from bridge.history.refold import refold as tell_again
from bridge.history.search import parse_attempt_keys
from tests.support.core.story import HOUR, KEY, POLICY, SENT_AT, report, sent
from tests.support.settings import accounts

ALL = 2**40


PAUSE = 46 * HOUR
"""Long enough for a parked report to be given up, too short for a sent event to be too old."""


def heard(entries: Iterable[Entry], pause_before: int | None = None) -> list[JournaledEntry]:
    """Return entries as the journal has them, a second apart, with one pause."""
    pauses = [PAUSE if pause_before is not None and number >= pause_before else 0 for number in range(100)]
    return [JournaledEntry(n, SENT_AT + 1000 * n + pauses[n], entry) for n, entry in enumerate(entries)]


def published(deliveries: Iterable[Delivery]) -> list[PublishedEvent]:
    """Return events as `sms.delivery` has them."""
    return [PublishedEvent(0, number, one.as_json()) for number, one in enumerate(deliveries)]


def lived(journal: list[JournaledEntry], expired_before: int | None) -> tuple[list[Delivery], list[int]]:
    """Return what the tracker would have published and rejected, if its timer expired before this entry."""
    state: State = None
    deliveries: list[Delivery] = []
    gone: list[int] = []
    for number, one in enumerate((*journal, None)):
        if number == expired_before and (
            isinstance(state, Parked) or (isinstance(state, Followed) and state.final_at is None)
        ):
            folded = expire(KEY, state, SENT_AT + PAUSE, POLICY)
            deliveries += [publication.delivery for publication in folded.publications]
            gone += [letter.offset for letter in folded.rejections]
            state = folded.state
        if one:
            folded = fold(KEY, state, one.entry, EntryPosition(one.offset, one.journaled_at), POLICY)
            deliveries += [publication.delivery for publication in folded.publications]
            state = folded.state
    return deliveries, gone


ENTRIES = st.lists(st.sampled_from([sent(), *(report(status) for status in (*Status, None))]), min_size=1, max_size=8)


@given(ENTRIES, st.none() | st.integers(0, 8))
def test_refold_matches_published_events(entries: list[Entry], expired_before: int | None) -> None:
    """In any order of entries, with a timer at any time, the history has the published events."""
    journal = heard(entries, expired_before)
    deliveries, gone = lived(journal, expired_before)
    story = tell_again(KEY, AttemptRecords(journal, published(deliveries), gone, ALL), POLICY)
    assert story.agrees
    assert [event for step in story.steps for event in step.events] == [one.as_json() for one in deliveries]
    assert [step.offset for step in story.steps if step.entry] == [one.offset for one in journal]


def outcomes(story: Timeline) -> list[FoldOutcome | None]:
    """Return the decisions in order."""
    return [step.outcome for step in story.steps]


def test_unfolded_entries_have_no_decision() -> None:
    """Entries that the tracker hasn't folded yet are shown without a decision."""
    story = tell_again(KEY, AttemptRecords(heard([sent(), report(Status.SENT)]), [], (), 1), POLICY)
    assert outcomes(story) == [FoldOutcome.FOLLOWED, None]
    assert story.steps[-1].why == WAITING


def test_missing_sent_event_is_reported() -> None:
    """Without the sent event the history says so and shows no decisions."""
    journal = heard([sent(), report(Status.SENT), report(Status.DELIVERED)])
    deliveries, _ = lived(journal, None)
    story = tell_again(KEY, AttemptRecords(journal[1:], published(deliveries), (), ALL), POLICY)
    assert [(step.outcome, step.why) for step in story.steps] == [(None, UNKNOWN)] * 2
    assert (story.message_id, story.agrees) == ("m-1", True)


def test_different_result_is_reported() -> None:
    """If other settings give another result than the published events, the history says so."""
    journal = heard([sent(), report(Status.SENT), report(Status.DELIVERED)])
    deliveries, _ = lived(journal, None)
    kept_back = tell_again(
        KEY, AttemptRecords(journal, published(deliveries), (), ALL), POLICY._replace(emit_interim=False)
    )
    assert not kept_back.agrees


def test_deadline_is_at_its_time() -> None:
    """A report after the deadline is shown as a correction."""
    journal = heard([sent(), report(Status.DELIVERED)], 1)
    deliveries, _ = lived(journal, 1)
    story = tell_again(KEY, AttemptRecords(journal, published(deliveries), (), ALL), POLICY)
    assert [step.source for step in story.steps] == ["sent", Source.DEADLINE, "callback"]
    assert "corrects" in story.steps[-1].why


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("dexatel:7", ["dexatel:default:7", "dexatel:promo:7"]),
        ("dexatel:promo:7", ["dexatel:promo:7", "dexatel:default:promo:7", "dexatel:promo:promo:7"]),
        ("dexatel:a:b", ["dexatel:default:a:b", "dexatel:promo:a:b"]),
        ("nexmo:7", []),
        ("order-7", []),
        ("dexatel:", []),
    ],
)
def test_ids_with_colons_and_without_account(name: str, keys: list[str]) -> None:
    """A provider's id may contain colons, and the account may be omitted."""
    assert parse_attempt_keys(name, accounts(DEXATEL__ACCOUNTS__PROMO__CALLBACK_SECRETS="another-secret-of-16")) == keys


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b'{"id":"7"}', True),
        (b"id=7&x=1", True),
        (b'{"id":"17"}', False),
        (b'{"id":"7-1"}', False),
        (b"", False),
    ],
)
def test_ids_match_as_whole_words(value: bytes, expected: bool) -> None:  # noqa: FBT001 - a row of a table
    """A search for 7 doesn't find dead letters of message 17."""
    assert compile_mention(["7"])(value) is expected


def test_dead_letters_are_assigned_to_attempts() -> None:
    """By the position of an entry, or by an id in the same account."""
    letter = DeadLetter("unmatched", "", None, b"", 0, SourcePosition("journal", 1, 5))
    assert make_letter_selector(KEY, {("journal", 1, 5)})(letter)
    assert not make_letter_selector(KEY, {("journal", 2, 5)})(letter)
    named = letter._replace(source=None, value=b"id=p-1", provider="dexatel")
    assert make_letter_selector(KEY, ())(named)
    assert not make_letter_selector(KEY, ())(named._replace(provider="speedocom"))


def test_times_count_from_the_sent_event() -> None:
    """They are the times of the journal's entries."""
    story = tell_again(KEY, AttemptRecords(heard([sent(gives_up_at=SENT_AT + HOUR)]), [], (), ALL), POLICY)
    assert [step.at for step in story.steps] == [SENT_AT]
