"""The rules of an attempt's life: how an entry or a timer changes its state, and what is published.

Every decision about an attempt is in this file, and it is pure. It knows neither Kafka nor the providers: an entry has
the meaning of a report's status. All times are milliseconds since the epoch. The rules:

    state              input                                      effect
    ---------------    ---------------------------------------    ------------------------------------------------
    none               sent                                       follow it (after its end, or sent before what was
                                                                  forgotten under other settings: dead letter, too_old)
    none, parked       report                                     park it: the first report of each status
    parked             sent                                       follow it, and apply the parked reports in order
    parked             timer                                      dead letter, unmatched
    followed           the same sent again                        ignore
    followed           a sent with another message id             dead letter, conflict
    followed           report                                     see `moves.py`; one about a part: `parts.py` first
    followed           timer at its end                           publish unknown, final
    final              timer after end and REMEMBER_FOR           forget it: the state is none
    any                report with an unmapped status             count and ignore it; it is never parked
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from msgspec import UNSET, Struct
from msgspec.structs import replace

from bridge.core.attempt import Followed, Parked, ParkedReport, Policy, State, compute_forget_time
from bridge.core.delivery import FastStrEnum, Reason, Source, Status, Verdict
from bridge.core.entries import MAX_PARTS, AttemptKey, Entry, Report, Sent
from bridge.core.errors import DeadLetterReason
from bridge.core.moves import CHANGING_MOVES, MOVES
from bridge.core.parts import add_part, find_part, find_worst
from bridge.core.publication import Publication, make_delivery
from bridge.core.timestamps import format_rfc3339


class FoldOutcome(FastStrEnum):
    """What became of an entry; a label of the metrics."""

    FOLLOWED = "followed"
    PUBLISHED = "published"
    WITHHELD = "withheld"
    DUPLICATE = "duplicate"
    STALE = "stale"
    LATE = "late"
    PARKED = "parked"
    UNMAPPED = "unmapped"
    UNMATCHED = "unmatched"
    CONFLICT = "conflict"
    TOO_OLD = "too_old"
    FORGOTTEN = "forgotten"
    FAILED = "failed"


class Rejection(NamedTuple):
    """A dead letter to write."""

    reason: DeadLetterReason
    error: str
    offset: int
    """Of its entry in the journal."""
    raw: str | None = None
    """The raw text of a parked report, empty if only the journal has it; None for an entry that is folded now."""


class EntryPosition(Struct, frozen=True, gc=False):
    """An entry's offset in the journal, and what is known at that position."""

    offset: int
    journaled_at: int
    """When the broker appended it."""
    refused_until: int = 0
    """Messages that were sent until then may have been forgotten under settings that have changed since."""


class FoldResult(Struct, frozen=True, gc=False):
    """The whole effect of an entry or a timer."""

    state: State
    outcome: FoldOutcome
    publications: tuple[Publication, ...] = ()
    rejections: tuple[Rejection, ...] = ()


def fold(key: str, state: State, entry: Entry, at: EntryPosition, policy: Policy) -> FoldResult:
    """Apply an entry to the state of its attempt.

    Args:
        key: The attempt's key.
        state: The attempt's state.
        entry: The entry.
        at: The entry's position and time. There is no other clock, so that folding again has the same result.
        policy: The settings.
    """
    if (
        isinstance(state, Followed)
        and state.final_at is not None
        and compute_forget_time(state, policy) <= at.journaled_at
    ):
        if isinstance(entry, Sent) and entry.message_id == state.message_id:
            return _refuse(state, "it has ended long ago", at)
        state = None
    return _RULES[type(state), type(entry)](key, state, entry, at, policy)


def expire(key: str, state: Parked | Followed, now: int, policy: Policy) -> FoldResult:
    """Apply the expiry of the attempt's timer."""
    if isinstance(state, Parked):
        return discard(state, DeadLetterReason.UNMATCHED, "no sent event was received in time", policy)
    if state.final_at is not None:
        return FoldResult(None, FoldOutcome.FORGOTTEN)
    return _publish(key, state, _make_deadline_report(key, state, now), now, policy)


def discard(state: Parked, reason: DeadLetterReason, error: str, policy: Policy) -> FoldResult:
    """Give up parked reports."""
    if reason is DeadLetterReason.UNMATCHED and not policy.dead_letter_unmatched:
        return FoldResult(None, FoldOutcome.UNMATCHED)
    return FoldResult(
        None,
        FoldOutcome.UNMATCHED,
        (),
        tuple(Rejection(reason, error, parked.offset, parked.raw) for parked in state.reports),
    )


# --- sent events ------------------------------------------------------------------------------------------------------


def _follow(key: str, state: Parked | None, entry: Sent, at: EntryPosition, policy: Policy) -> FoldResult:
    # A sent event that is read again after a rewind must not be followed again. So an attempt is remembered at least
    # until its end, and from then on refused. `refused_until` is for settings that have moved the end since.
    ends_at = min(entry.gives_up_at, entry.sent_at + policy.max_follow)
    if ends_at <= at.journaled_at:
        return _refuse(state, f"its deadline was {format_rfc3339(ends_at)}", at)
    if entry.sent_at <= at.refused_until:
        return _refuse(state, "settings have changed, and messages of that time were forgotten before", at)
    followed = Followed(
        entry.message_id,
        entry.sent_at,
        entry.starts_at,
        ends_at,
        entry.recipient,
        entry.sender,
        entry.metadata,
        entry.traceparent,
        sent_as=None if entry.compared_id is UNSET else entry.provider_message_id,
    )
    return _follow_parked(key, followed, state, at, policy) if state else FoldResult(followed, FoldOutcome.FOLLOWED)


def _refuse(state: State, why: str, at: EntryPosition) -> FoldResult:
    rejection = Rejection(DeadLetterReason.TOO_OLD, f"too old to be followed: {why}", at.offset)
    return FoldResult(state, FoldOutcome.TOO_OLD, (), (rejection,))


def _follow_parked(key: str, followed: Followed, parked: Parked, at: EntryPosition, policy: Policy) -> FoldResult:
    state: State = followed
    publications: list[Publication] = []
    for report in parked.reports:
        folded = _apply_report(key, state, report.to_report(), at, policy)  # type: ignore[arg-type]  # a report leaves it followed
        state = folded.state
        publications += folded.publications
    return FoldResult(state, FoldOutcome.FOLLOWED, tuple(publications))


def _ignore_or_reject_repeat(_key: str, state: Followed, entry: Sent, at: EntryPosition, _policy: Policy) -> FoldResult:
    if entry.message_id == state.message_id:
        return FoldResult(state, FoldOutcome.DUPLICATE)
    error = f"the attempt already belongs to message {state.message_id!r}"
    return FoldResult(state, FoldOutcome.CONFLICT, (), (Rejection(DeadLetterReason.CONFLICT, error, at.offset),))


# --- reports ----------------------------------------------------------------------------------------------------------


def _park(_key: str, state: Parked | None, entry: Report, at: EntryPosition, policy: Policy) -> FoldResult:
    verdict = entry.verdict
    if verdict is None:
        return FoldResult(state, FoldOutcome.UNMAPPED)
    parked = state or Parked(at.journaled_at + policy.park_for, ())
    part = None if entry.part is UNSET else entry.part
    is_known = any(known.verdict.status is verdict.status and known.part == part for known in parked.reports)
    if is_known or len(parked.reports) >= MAX_PARTS:
        return FoldResult(parked, FoldOutcome.DUPLICATE)
    report = ParkedReport.from_report(at.offset, entry, verdict)
    return FoldResult(Parked(parked.until, (*parked.reports, report)), FoldOutcome.PARKED)


def _apply_report(key: str, state: Followed, entry: Report, at: EntryPosition, policy: Policy) -> FoldResult:
    if entry.status is None:
        return FoldResult(state, FoldOutcome.UNMAPPED)
    if entry.part is UNSET:
        return _apply_whole(key, state, entry, at, policy)
    move = MOVES[find_part(state.parts, entry.part.name), entry.status]
    if move not in CHANGING_MOVES:
        return FoldResult(state, FoldOutcome(move.value))
    added = add_part(state.parts, entry, entry.part)
    if added is None:
        return FoldResult(state, FoldOutcome.LATE)
    return _apply_whole(key, replace(state, parts=added.parts), added.report, at, policy)


def _apply_whole(key: str, state: Followed, entry: Report, at: EntryPosition, policy: Policy) -> FoldResult:
    move = MOVES[state.status, entry.status or Status.UNKNOWN]
    if move in CHANGING_MOVES:
        return _publish(key, state, entry, at.journaled_at, policy)
    return FoldResult(state, FoldOutcome(move.value))


_RULES: Mapping[tuple[type, type], Callable[..., FoldResult]] = {
    (type(None), Sent): _follow,
    (type(None), Report): _park,
    (Parked, Sent): _follow,
    (Parked, Report): _park,
    (Followed, Sent): _ignore_or_reject_repeat,
    (Followed, Report): _apply_report,
}


# --- publications -----------------------------------------------------------------------------------------------------


def _publish(key: str, state: Followed, report: Report, now: int, policy: Policy) -> FoldResult:
    verdict = report.verdict or Verdict(Status.UNKNOWN)
    final = verdict.final
    is_published = final or policy.emit_interim
    changed = Followed(
        state.message_id,
        state.sent_at,
        state.starts_at,
        state.ends_at,
        state.recipient,
        state.sender,
        state.metadata,
        state.traceparent,
        verdict.status,
        state.sequence + is_published,
        now if final else None,
        state.parts,
        state.sent_as,
    )
    if not is_published:
        return FoldResult(changed, FoldOutcome.WITHHELD)
    # A receiver's clock may be ahead by more than a broker takes.
    timestamp = min(report.observed_at, now)
    publication = Publication(make_delivery(key, state, report, verdict), timestamp, state.traceparent)
    return FoldResult(changed, FoldOutcome.PUBLISHED, (publication,))


def _make_deadline_report(key: str, state: Followed, now: int) -> Report:
    """Make the report of a deadline: unknown, unless a part is known not to be delivered."""
    verdict = Verdict(Status.UNKNOWN, Reason.NO_REPORT if state.status is None else Reason.NO_FINAL_REPORT)
    told: tuple[str | None, str | None] = None, None
    if worst := find_worst(state.parts):
        verdict, told = worst.verdict, (worst.provider_status, worst.provider_code)
    decided = verdict.status, verdict.reason, verdict.permanent
    return Report(*AttemptKey.parse(key), *decided, *told, {}, None, Source.DEADLINE, now, "")
