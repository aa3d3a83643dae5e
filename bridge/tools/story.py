"""One attempt's story told again: each entry of the journal with what was decided about it, and why. Pure.

The decisions aren't stored anywhere; the fold is pure, so folding the same entries again tells them. What was really
published is at hand and checked against: settings may have been others then.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from bridge.core.attempt import Followed, Parked, Policy, State
from bridge.core.delivery import Source
from bridge.core.entries import Entry, Report, Sent
from bridge.core.lifecycle import Folded, Outcome, Position, expire, fold
from bridge.tools.output import clock
from bridge.tracker.timetable import Timetable

WHY: Mapping[Outcome, str] = {
    Outcome.FOLLOWED: "followed from here on",
    Outcome.PUBLISHED: "published",
    Outcome.WITHHELD: "kept back: only final statuses are published (FOLLOW__EMIT)",
    Outcome.DUPLICATE: "ignored: known already",
    Outcome.STALE: "ignored: a later status is known, and nothing goes back",
    Outcome.LATE: "ignored: the end is known, and this doesn't overrule it",
    Outcome.PARKED: "parked: waits for its sent event",
    Outcome.UNMAPPED: "ignored: nobody has mapped this word (STATUSES)",
    Outcome.UNMATCHED: "given up: no sent event came in time",
    Outcome.CONFLICT: "dead letter: the attempt belongs to another message",
    Outcome.TOO_OLD: "dead letter: its end had passed before it was read",
    Outcome.FORGOTTEN: "forgotten",
    Outcome.FAILED: "dead letter: a fault of the bridge",
}
WAITING = "not folded yet: the tracker hasn't come to it"
UNKNOWN = "can't be told: the journal no longer holds the beginning"


class Heard(NamedTuple):
    """An entry, where it stands in the journal and when the broker took it."""

    offset: int
    journaled_at: int
    entry: Entry


class Published(NamedTuple):
    """An event of this attempt, and where it stands in `sms.delivery`."""

    partition: int
    offset: int
    event: Mapping[str, Any]


class Step(NamedTuple):
    """One thing that happened to the attempt; `entry` is None when a timer ran out."""

    at: int
    offset: int | None
    entry: Entry | None
    outcome: Outcome | None
    why: str
    events: tuple[Mapping[str, Any], ...] = ()
    """As the fold makes them today."""

    @property
    def source(self) -> str:
        """What told it: `sent`, `callback`, `poll` or `deadline`."""
        if isinstance(self.entry, Report):
            return self.entry.source.value
        return "sent" if self.entry else Source.DEADLINE.value


class Story(NamedTuple):
    """All that happened to one attempt, in order."""

    key: str
    steps: tuple[Step, ...]
    published: tuple[Published, ...]
    agrees: bool
    """Whether folding again gives what was published."""

    @property
    def message_id(self) -> str | None:
        """Whose attempt it is."""
        sent = next((step.entry for step in self.steps if isinstance(step.entry, Sent)), None)
        found: Mapping[str, Any] = self.published[0].event if self.published else {}
        return sent.message_id if sent else found.get("message_id")


class Past(NamedTuple):
    """What is known of an attempt from the topics."""

    heard: Sequence[Heard]
    published: Sequence[Published]
    unmatched: Collection[int]
    """Offsets of reports that went to the dead letters because no sent event came."""
    folded_to: int
    """The journal offset that the tracker has come to."""


def tell(key: str, past: Past, policy: Policy) -> Story:
    """Fold again what was heard."""
    begins = not past.heard or any(isinstance(heard.entry, Sent) for heard in past.heard) or not past.published
    teller = _Teller(key, past, policy)
    for heard in sorted(past.heard):
        teller.hear(heard, begins=begins)
    teller.ring(None)
    made = [event["event_id"] for step in teller.steps for event in step.events]
    there = [published.event["event_id"] for published in past.published]
    return Story(key, tuple(teller.steps), tuple(past.published), agrees=not begins or made == there)


class _Teller:
    def __init__(self, key: str, past: Past, policy: Policy) -> None:
        self._key, self._past, self._policy = key, past, policy
        self._deadlines = {
            published.event["sequence"]: _milliseconds(published.event["observed_at"])
            for published in past.published
            if published.event["source"] == Source.DEADLINE
        }
        self._state: State = None
        self.steps: list[Step] = []

    def hear(self, heard: Heard, *, begins: bool) -> None:
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

    def ring(self, before: Heard | None) -> None:
        """Let the timer run out, if it did before this entry came; at the end, if it did at all."""
        now = self._rang(before)
        if now is None or self._state is None:
            return
        folded = expire(self._key, self._state, now, self._policy)
        self._state = folded.state
        why = "its time was up: published" if folded.publications else WHY[folded.outcome]
        self.steps.append(Step(now, None, None, folded.outcome, why, _events(folded)))

    def _rang(self, before: Heard | None) -> int | None:
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

    def _fold(self, heard: Heard) -> Folded:
        return fold(self._key, self._state, heard.entry, Position(heard.offset, heard.journaled_at), self._policy)

    def _note(self, heard: Heard, folded: Folded | None, why: str) -> None:
        events = _events(folded) if folded else ()
        if folded and folded.outcome is Outcome.PUBLISHED and events[0]["corrects"]:
            why = "published: corrects the end that was known"
        outcome = folded.outcome if folded else None
        self.steps.append(Step(heard.journaled_at, heard.offset, heard.entry, outcome, why, events))


def now_of(key: str, state: State, timetable: Timetable, now: int) -> str:
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
        return f"{len(state.reports)} report(s) wait for a sent event until {clock(state.until)}"
    if state.final_at is not None:
        return f"final: {state.status}"
    status = f"last status {state.status}" if state.status else "no report yet"
    poll = timetable.next_poll(key, state, now)
    asked = f"next poll at {clock(poll)}" if poll else "no more polls"
    return f"waiting: {status}; {asked}; gives up at {clock(state.ends_at)}"


def _events(folded: Folded) -> tuple[Mapping[str, Any], ...]:
    return tuple(publication.delivery.as_json() for publication in folded.publications)


def _milliseconds(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)
