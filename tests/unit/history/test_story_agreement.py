"""What is said of an attempt in a sentence, of its state and of its steps never contradicts itself."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from bridge.core.attempt import Followed, Parked
from bridge.core.delivery import Status
from bridge.core.entries import Entry, Sent
from bridge.core.lifecycle import FoldOutcome
from bridge.core.schedule import Schedule
from bridge.history.document import make_document
from bridge.history.lookup import AttemptTrace, TraceResult, make_trace
from bridge.history.refold import WAITING, AttemptRecords, JournaledEntry, PublishedEvent
from bridge.history.search import AttemptHistory
from tests.support.core.story import KEY, POLICY, SENT_AT, expire_timers, fold_entries, report, sent

OTHER = sent(message_id="m-2", recipient="254700000002")
TOO_OLD = sent(gives_up_at=SENT_AT - 1)
ENTRIES = st.lists(
    st.sampled_from([sent(), OTHER, TOO_OLD, *(report(status) for status in (*Status, None))]), max_size=6
)


def trace(
    entries: Sequence[Entry],
    asked: str = KEY,
    *,
    folded: int = 99,
    expired: bool = False,
    kept: int = 0,
    has_events: bool = True,
) -> AttemptTrace:
    """Return what is shown of an attempt.

    Args:
        entries: All that came.
        asked: For what somebody asks.
        folded: How many the tracker has folded.
        expired: Whether the attempt is forgotten.
        kept: The first entry that the journal still has.
        has_events: Whether `sms.delivery` still has the events.
    """
    told = fold_entries(entries[:folded])
    told = expire_timers(told) if expired else told
    journal = [JournaledEntry(n, SENT_AT + 1000 * n, entry) for n, entry in enumerate(entries)]
    events = [PublishedEvent(0, n, one.as_json()) for n, one in enumerate(told.deliveries) if has_events]
    gone = [rejection.offset for step in told.steps for rejection in step.rejections]
    records = AttemptRecords(journal[kept:], events, gone, folded)
    return make_trace(AttemptHistory(KEY, 0, records, told.state, ()), Schedule(POLICY, {}), asked)


@given(ENTRIES, st.integers(0, 6), st.booleans(), st.integers(0, 6), st.booleans())
def test_sentence_state_and_steps_agree(
    entries: list[Entry],
    folded: int,
    expired: bool,  # noqa: FBT001 - drawn
    kept: int,
    has_events: bool,  # noqa: FBT001 - drawn
) -> None:
    """Whatever came, and whatever the topics no longer have, nothing is awaited that isn't."""
    shown = trace(entries, folded=folded, expired=expired, kept=kept, has_events=has_events)
    state, said = shown.history.state, shown.summary
    is_open = isinstance(state, Followed) and state.final_at is None
    is_behind = any(step.why == WAITING for step in shown.timeline.steps)
    assert ("awaited" in said) <= isinstance(state, Parked)
    assert ("hasn't come yet" in said) <= is_open
    assert ("no report has come yet" in said) <= (is_open or is_behind)
    assert ("Nothing is known" in said) <= (not shown.timeline.steps and state is None)
    if not is_behind:
        assert ("final: " in shown.now) <= (said.split(":")[0].split(" after")[0].rstrip(".") in ENDS), said
        assert ("waits for a sent event" in shown.now) <= (isinstance(state, Parked))


ENDS = {"Final", "Delivered", "Not delivered", "Unknown"}


@given(ENTRIES)
def test_a_refused_sent_event_is_named(entries: list[Entry]) -> None:
    """Its step names both messages, and who asks for it reads whose the attempt is, and nothing for its customer."""
    for asked in ("m-1", "m-2"):
        shown = trace(entries, asked)
        conflicts = [step for step in shown.timeline.steps if step.outcome is FoldOutcome.CONFLICT]
        assert all("m-1" in step.why and "m-2" in step.why for step in conflicts)
        refused = any(isinstance(step.entry, Sent) and step.entry.message_id == asked for step in conflicts)
        assert (shown.refused is not None) is refused
        [document] = make_document(TraceResult(asked, (shown,)))["attempts"]
        if refused:
            owner = {"m-1": "m-2", "m-2": "m-1"}[asked]
            assert shown.summary.startswith(f"{asked} was refused: the provider's id belongs to message {owner}. ")
            assert (document["message_id"], document["tell_customer"]) == (owner, None)


def test_an_unmapped_report_keeps_nothing() -> None:
    """Neither the sentence nor the state says that something is awaited or was forgotten."""
    shown = trace([report(None)])
    assert shown.summary == "1 report came, with a status that isn't mapped; no sent event has come."
    assert shown.now == "nothing is kept of it"


def test_events_of_an_earlier_message_with_the_same_id() -> None:
    """A provider that uses an id again begins a new story."""
    late = SENT_AT + 2 * POLICY.max_follow
    second = sent(message_id="m-2", sent_at=late, starts_at=late, gives_up_at=late + POLICY.max_follow)
    entries: list[tuple[int, Entry]] = [(SENT_AT, sent()), (SENT_AT + 1, report(Status.DELIVERED)), (late, second)]
    journal = [JournaledEntry(n, at, one) for n, (at, one) in enumerate(entries)]
    events = [PublishedEvent(0, 0, one.as_json()) for one in fold_entries([sent(), entries[1][1]]).deliveries]
    history = AttemptHistory(KEY, 0, AttemptRecords(journal, events, (), 99), fold_entries([second]).state, ())
    shown = make_trace(history, Schedule(POLICY, {}), "m-2")
    assert (shown.timeline.message_id, shown.refused) == ("m-2", None)
    assert shown.summary == "Handed to dexatel; no report has come yet."
