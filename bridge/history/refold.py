"""One attempt's story told again: each entry of the journal with what was decided about it, and why. Pure.

The decisions aren't stored anywhere; the fold is pure, so folding the same entries again tells them. What was really
published is at hand and checked against: settings may have been others then.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from bridge.core.attempt import Followed, Parked, Policy, State
from bridge.core.delivery import Source
from bridge.core.entries import AttemptKey, Entry, Report, Sent
from bridge.core.lifecycle import EntryPosition, FoldOutcome, FoldResult, expire, fold
from bridge.core.schedule import Schedule
from bridge.text import format_time

WHY: Mapping[FoldOutcome, str] = {
    FoldOutcome.FOLLOWED: "followed from here on",
    FoldOutcome.PUBLISHED: "published",
    FoldOutcome.WITHHELD: "kept back: only final statuses are published (FOLLOW__EMIT)",
    FoldOutcome.DUPLICATE: "ignored: known already",
    FoldOutcome.STALE: "ignored: a later status is known, and nothing goes back",
    FoldOutcome.LATE: "ignored: the end is known, and this doesn't overrule it",
    FoldOutcome.PARKED: "parked: waits for its sent event",
    FoldOutcome.UNMAPPED: "ignored: nobody has mapped this word (STATUSES)",
    FoldOutcome.UNMATCHED: "given up: no sent event came in time",
    FoldOutcome.CONFLICT: "dead letter: the attempt belongs to another message",
    FoldOutcome.TOO_OLD: "dead letter: its end had passed before it was read",
    FoldOutcome.FORGOTTEN: "forgotten",
    FoldOutcome.FAILED: "dead letter: a fault of the bridge",
}
WAITING = "not folded yet: the tracker hasn't come to it"
UNKNOWN = "can't be told: the journal no longer holds the beginning"


class JournaledEntry(NamedTuple):
    """An entry, where it stands in the journal and when the broker took it."""

    offset: int
    journaled_at: int
    entry: Entry


class PublishedEvent(NamedTuple):
    """An event of this attempt, and where it stands in `sms.delivery`."""

    partition: int
    offset: int
    event: Mapping[str, Any]

    @property
    def key(self) -> str:
        """The text of the attempt's key."""
        return str(AttemptKey(*(self.event[name] for name in AttemptKey._fields)))


class TimelineStep(NamedTuple):
    """One thing that happened to the attempt; `entry` is None when a timer ran out."""

    at: int
    offset: int | None
    entry: Entry | None
    outcome: FoldOutcome | None
    why: str
    events: tuple[Mapping[str, Any], ...] = ()
    """As the fold makes them today."""

    @property
    def source(self) -> str:
        """What told it: `sent`, `callback`, `poll` or `deadline`."""
        if isinstance(self.entry, Report):
            return self.entry.source.value
        return "sent" if self.entry else Source.DEADLINE.value


class Timeline(NamedTuple):
    """All that happened to one attempt, in order."""

    key: str
    steps: tuple[TimelineStep, ...]
    published: tuple[PublishedEvent, ...]
    agrees: bool
    """Whether folding again gives what was published."""

    def find_published(self, event_id: str) -> PublishedEvent | None:
        """Find the event in `sms.delivery`, or None where it isn't there."""
        return next((one for one in self.published if one.event["event_id"] == event_id), None)

    @property
    def message_id(self) -> str | None:
        """Whose attempt it is."""
        sent = next((step.entry for step in self.steps if isinstance(step.entry, Sent)), None)
        found: Mapping[str, Any] = self.published[0].event if self.published else {}
        return sent.message_id if sent else found.get("message_id")


class AttemptRecords(NamedTuple):
    """What is known of an attempt from the topics."""

    heard: Sequence[JournaledEntry]
    published: Sequence[PublishedEvent]
    unmatched: Collection[int]
    """Offsets of reports that went to the dead letters because no sent event came."""
    folded_to: int
    """The journal offset that the tracker has come to."""


def refold(key: str, past: AttemptRecords, policy: Policy) -> Timeline:
    """Fold again what was heard."""
    begins = not past.heard or any(isinstance(heard.entry, Sent) for heard in past.heard) or not past.published
    teller = _Teller(key, past, policy)
    for heard in sorted(past.heard):
        teller.hear(heard, begins=begins)
    teller.ring(None)
    made = [event["event_id"] for step in teller.steps for event in step.events]
    there = [published.event["event_id"] for published in past.published]
    return Timeline(key, tuple(teller.steps), tuple(past.published), agrees=not begins or made == there)


class _Teller:
    def __init__(self, key: str, past: AttemptRecords, policy: Policy) -> None:
        self._key, self._past, self._policy = key, past, policy
        self._deadlines = {
            published.event["sequence"]: _milliseconds(published.event["observed_at"])
            for published in past.published
            if published.event["source"] == Source.DEADLINE
        }
        self._state: State = None
        self.steps: list[TimelineStep] = []

    def hear(self, heard: JournaledEntry, *, begins: bool) -> None:
        """An entry comes."""
        if heard.offset >= self._past.folded_to:
            self._note(heard, None, WAITING)
            return
        if not begins:
            self._note(heard, None, UNKNOWN)
            return
        self.ring(heard)
        folded = self._fold(heard)
        self._state = folded.state
        self._note(heard, folded, WHY[folded.outcome])

    def ring(self, before: JournaledEntry | None) -> None:
        """Let the timer run out, if it did before this entry came; at the end, if it did at all."""
        now = self._rang(before)
        if now is None or self._state is None:
            return
        folded = expire(self._key, self._state, now, self._policy)
        self._state = folded.state
        why = "its time was up: published" if folded.publications else WHY[folded.outcome]
        self.steps.append(TimelineStep(now, None, None, folded.outcome, why, _events(folded)))

    def _rang(self, before: JournaledEntry | None) -> int | None:
        """When it ran out. The published deadline and the dead letters tell; the clock only where nobody wrote."""
        state = self._state
        if isinstance(state, Parked):
            if self._policy.dead_letter_unmatched:
                gone = any(parked.offset in self._past.unmatched for parked in state.reports)
                now = before is None or isinstance(before.entry, Sent) or state.until <= before.journaled_at
                return state.until if gone and now else None
            return state.until if before and state.until <= before.journaled_at else None
        if not isinstance(state, Followed) or state.final_at is not None:
            return None
        at = self._deadlines.get(state.sequence + 1)
        if at is None or before is None or at <= before.journaled_at:
            return at
        return at if self._fold(before).publications else None

    def _fold(self, heard: JournaledEntry) -> FoldResult:
        return fold(self._key, self._state, heard.entry, EntryPosition(heard.offset, heard.journaled_at), self._policy)

    def _note(self, heard: JournaledEntry, folded: FoldResult | None, why: str) -> None:
        events = _events(folded) if folded else ()
        if folded and folded.outcome is FoldOutcome.PUBLISHED and events[0]["corrects"]:
            why = "published: corrects the end that was known"
        outcome = folded.outcome if folded else None
        self.steps.append(TimelineStep(heard.journaled_at, heard.offset, heard.entry, outcome, why, events))


def describe_state(key: str, state: State, timetable: Schedule, now: int) -> str:
    """What is true of an attempt now, in a sentence.

    Args:
        key: The attempt's key.
        state: What the state topic has.
        timetable: When polls are due.
        now: The time.
    """
    if state is None:
        return "nothing is kept of it any more, or nothing has been folded yet"
    if isinstance(state, Parked):
        return f"{len(state.reports)} report(s) wait for a sent event until {format_time(state.until)}"
    if state.final_at is not None:
        return f"final: {state.status}"
    status = f"last status {state.status}" if state.status else "no report yet"
    poll = timetable.next_poll(key, state, now)
    asked = f"next poll at {format_time(poll)}" if poll else "no more polls"
    return f"waiting: {status}; {asked}; gives up at {format_time(state.ends_at)}"


def _events(folded: FoldResult) -> tuple[Mapping[str, Any], ...]:
    return tuple(publication.delivery.as_json() for publication in folded.publications)


def _milliseconds(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)
