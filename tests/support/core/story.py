"""Builders of entries for one attempt, and folding them."""

from collections.abc import Iterable
from typing import NamedTuple

from msgspec.structs import replace

from bridge.core.attempt import Policy, State, compute_timer
from bridge.core.delivery import Delivery, Reason, Source, Status
from bridge.core.entries import AttemptKey, Entry, Report, Sent
from bridge.core.lifecycle import EntryPosition, FoldResult, expire, fold

KEY = str(AttemptKey("dexatel", "default", "p-1"))
SENT_AT = 1_700_000_000_000
HOUR = 3_600_000
POLICY = Policy()


def sent(**changes: object) -> Sent:
    """Return the attempt's sent entry."""
    entry = Sent("m-1", "dexatel", "default", "p-1", SENT_AT, SENT_AT, SENT_AT + 47 * HOUR, "254700000001", "ACME")
    return replace(entry, **changes)


def report(status: Status | None, **changes: object) -> Report:
    """Return a report of the attempt; None gives an unmapped status."""
    reason = None if status is None else Reason.NONE
    word = "received" if status is None else status.value
    at = SENT_AT + 1000
    entry = Report(
        "dexatel", "default", "p-1", status, reason, None, word, None, {}, None, Source.CALLBACK, at, f"s={word}"
    )
    return replace(entry, **changes)


class FoldedEntries(NamedTuple):
    """The result of folding some entries."""

    state: State
    steps: list[FoldResult]

    @property
    def deliveries(self) -> list[Delivery]:
        """Everything that was published, in order."""
        return [publication.delivery for step in self.steps for publication in step.publications]

    @property
    def statuses(self) -> list[str]:
        """The published statuses, in order."""
        return [delivery.status.value for delivery in self.deliveries]

    @property
    def reasons(self) -> list[str]:
        """The reasons of dead letters, in order."""
        return [rejection.reason.value for step in self.steps for rejection in step.rejections]


def fold_entries(
    entries: Iterable[Entry], *, state: State = None, policy: Policy = POLICY, start: int = SENT_AT
) -> FoldedEntries:
    """Fold entries that are a second apart."""
    steps = []
    for number, entry in enumerate(entries):
        folded = fold(KEY, state, entry, EntryPosition(number, start + number * 1000), policy)
        state = folded.state
        steps.append(folded)
    return FoldedEntries(state, steps)


def expire_timers(told: FoldedEntries, policy: Policy = POLICY) -> FoldedEntries:
    """Let timers expire until the attempt is forgotten."""
    state, steps = told.state, list(told.steps)
    while state is not None:
        folded = expire(KEY, state, compute_timer(state, policy), policy)
        state = folded.state
        steps.append(folded)
    return FoldedEntries(state, steps)
