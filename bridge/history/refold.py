"""One attempt's timeline: each entry of the journal with what was decided about it, and why. Pure.

The decisions aren't stored anywhere; the fold is pure, so folding the same entries again gives them. The result is
compared with what was really published: settings may have been different then.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from bridge.core.attempt import Followed, Parked, Policy, State
from bridge.core.delivery import Source
from bridge.core.entries import AttemptKey, Entry, Report, Sent
from bridge.core.lifecycle import EntryPosition, FoldOutcome, FoldResult, expire, fold
from bridge.core.schedule import Schedule
from bridge.core.timestamps import parse_rfc3339
from bridge.text import format_count, format_time

WHY: Mapping[FoldOutcome, str] = {
    FoldOutcome.FOLLOWED: "followed from here on",
    FoldOutcome.PUBLISHED: "published",
    FoldOutcome.WITHHELD: "kept back: only final statuses are published (FOLLOW__EMIT)",
    FoldOutcome.DUPLICATE: "ignored: known already",
    FoldOutcome.STALE: "ignored: a later status is known, and nothing goes back",
    FoldOutcome.LATE: "ignored: the final status is known, and this doesn't correct it",
    FoldOutcome.PARKED: "parked: waits for its sent event",
    FoldOutcome.UNMAPPED: "ignored: unmapped provider status (STATUSES)",
    FoldOutcome.UNMATCHED: "given up: no sent event came in time",
    FoldOutcome.CONFLICT: "dead letter: the attempt belongs to another message",
    FoldOutcome.TOO_OLD: "dead letter: its deadline had passed before it was read",
    FoldOutcome.FORGOTTEN: "forgotten",
    FoldOutcome.FAILED: "dead letter: a fault of the bridge",
}
WAITING = "not folded yet: the tracker is behind"
UNKNOWN = "unknown: the journal no longer holds the attempt's first entries"


class JournaledEntry(NamedTuple):
    """An entry, its offset in the journal, and when the broker appended it."""

    offset: int
    journaled_at: int
    entry: Entry


class PublishedEvent(NamedTuple):
    """An event of this attempt, and its position in `sms.delivery`."""

    partition: int
    offset: int
    event: Mapping[str, Any]

    @property
    def attempt(self) -> AttemptKey:
        """The attempt, with its id as the sender wrote it."""
        return AttemptKey(*(self.event[name] for name in AttemptKey._fields))


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
        """Where it came from: `sent`, `callback`, `poll` or `deadline`."""
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
    def sent(self) -> Sent | None:
        """The sent event that the attempt belongs to: the last one that was followed, or else the first one."""
        sents = [(step.outcome, step.entry) for step in self.steps if isinstance(step.entry, Sent)]
        followed = [entry for outcome, entry in reversed(sents) if outcome is FoldOutcome.FOLLOWED]
        return next(iter(followed or (entry for _, entry in sents)), None)

    @property
    def message_id(self) -> str | None:
        """The message that the attempt belongs to."""
        sent = self.sent
        found: Mapping[str, Any] = self.published[-1].event if self.published else {}
        return sent.message_id if sent else found.get("message_id")

    @property
    def events(self) -> list[Mapping[str, Any]]:
        """The published events of that message: a provider may use an id again when the attempt is forgotten."""
        message_id = self.message_id
        return [one.event for one in self.published if one.event["message_id"] == message_id]

    @property
    def outcomes(self) -> frozenset[FoldOutcome]:
        """All that was decided."""
        return frozenset(step.outcome for step in self.steps if step.outcome)

    def find_refused(self, message_id: str) -> Sent | None:
        """Find a message's sent event that was refused because the attempt belongs to another message."""
        conflicts = (step.entry for step in self.steps if step.outcome is FoldOutcome.CONFLICT)
        return next((one for one in conflicts if isinstance(one, Sent) and one.message_id == message_id), None)


class AttemptRecords(NamedTuple):
    """What is known of an attempt from the topics."""

    entries: Sequence[JournaledEntry]
    published: Sequence[PublishedEvent]
    unmatched: Collection[int]
    """Offsets of reports that went to the dead letters because no sent event came."""
    folded_to: int
    """The journal offset up to which the tracker has folded."""


def refold(key: str, records: AttemptRecords, policy: Policy) -> Timeline:
    """Fold an attempt's entries again."""
    has_sent = any(isinstance(one.entry, Sent) for one in records.entries)
    is_complete = has_sent or not records.entries or not records.published
    refolder = _Refolder(key, records, policy)
    for journaled in sorted(records.entries):
        refolder.add(journaled, is_complete=is_complete)
    refolder.run_out_timer(None)
    refolded = [event["event_id"] for step in refolder.steps for event in step.events]
    published = [one.event["event_id"] for one in records.published]
    agrees = not is_complete or refolded == published
    return Timeline(key, tuple(refolder.steps), tuple(records.published), agrees)


class _Refolder:
    def __init__(self, key: str, records: AttemptRecords, policy: Policy) -> None:
        self._key, self._records, self._policy = key, records, policy
        self._deadlines = {
            published.event["sequence"]: parse_rfc3339(published.event["observed_at"])
            for published in records.published
            if published.event["source"] == Source.DEADLINE
        }
        self._state: State = None
        self.steps: list[TimelineStep] = []

    def add(self, journaled: JournaledEntry, *, is_complete: bool) -> None:
        """Fold the next entry."""
        if journaled.offset >= self._records.folded_to:
            self._note(journaled, None, WAITING)
            return
        if not is_complete:
            self._note(journaled, None, UNKNOWN)
            return
        self.run_out_timer(journaled)
        folded = self._fold(journaled)
        self._state = folded.state
        self._note(journaled, folded, _explain(folded, journaled.entry))

    def run_out_timer(self, before: JournaledEntry | None) -> None:
        """Let the timer run out if it did before this entry; with None, if it did at all."""
        now = self._timer_ran_out_at(before)
        if now is None or self._state is None:
            return
        folded = expire(self._key, self._state, now, self._policy)
        self._state = folded.state
        why = "deadline passed: published" if folded.publications else WHY[folded.outcome]
        self.steps.append(TimelineStep(now, None, None, folded.outcome, why, _list_events(folded)))

    def _timer_ran_out_at(self, before: JournaledEntry | None) -> int | None:
        """When it ran out, by the published deadline and the dead letters; by the clock where nothing was written."""
        state = self._state
        if isinstance(state, Parked):
            if self._policy.dead_letter_unmatched:
                gone = any(parked.offset in self._records.unmatched for parked in state.reports)
                now = before is None or isinstance(before.entry, Sent) or state.until <= before.journaled_at
                return state.until if gone and now else None
            return state.until if before and state.until <= before.journaled_at else None
        if not isinstance(state, Followed) or state.final_at is not None:
            return None
        at = self._deadlines.get(state.sequence + 1)
        if at is None or before is None or at <= before.journaled_at:
            return at
        return at if self._fold(before).publications else None

    def _fold(self, journaled: JournaledEntry) -> FoldResult:
        return fold(
            self._key,
            self._state,
            journaled.entry,
            EntryPosition(journaled.offset, journaled.journaled_at),
            self._policy,
        )

    def _note(self, journaled: JournaledEntry, folded: FoldResult | None, why: str) -> None:
        events = _list_events(folded) if folded else ()
        if folded and folded.outcome is FoldOutcome.PUBLISHED and events[0]["corrects"]:
            why = "published: corrects the final status"
        outcome = folded.outcome if folded else None
        self.steps.append(TimelineStep(journaled.journaled_at, journaled.offset, journaled.entry, outcome, why, events))


def describe_state(key: str, state: State, schedule: Schedule, now: int) -> str:
    """Describe an attempt's state in a sentence.

    Args:
        key: The attempt's key.
        state: What the state topic has.
        schedule: When polls are due.
        now: The time.
    """
    if state is None:
        return "nothing is kept of it"
    if isinstance(state, Parked):
        verb = "waits" if len(state.reports) == 1 else "wait"
        reports = format_count(len(state.reports), "report")
        return f"{reports} {verb} for a sent event until {format_time(state.until)}"
    if state.final_at is not None:
        return f"final: {state.status}"
    status = f"last status {state.status}" if state.status else "no report yet"
    poll = schedule.find_next_poll(key, state, now)
    asked = f"next poll at {format_time(poll)}" if poll else "no more polls"
    return f"waiting: {status}; {asked}; gives up at {format_time(state.ends_at)}"


def _explain(folded: FoldResult, entry: Entry) -> str:
    if folded.outcome is FoldOutcome.CONFLICT and isinstance(folded.state, Followed) and isinstance(entry, Sent):
        return f"dead letter: it is of message {entry.message_id}; the attempt belongs to {folded.state.message_id}"
    return WHY[folded.outcome]


def _list_events(folded: FoldResult) -> tuple[Mapping[str, Any], ...]:
    return tuple(publication.delivery.as_json() for publication in folded.publications)
