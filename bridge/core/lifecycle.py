"""The rules of an attempt's life: what an entry or a timer changes, and what is published for it.

Everything that decides about an attempt is in this file, and it is pure. It knows neither Kafka nor the providers: what
a report means was written into its entry. All times are milliseconds since the epoch. The rules, in words:

    what is known      what comes                                 what happens
    ---------------    ---------------------------------------    ------------------------------------------------
    nothing            sent                                       follow it (its end has passed: dead letter, too_old)
    nothing, parked    report                                     park it: the first of each status
    parked             sent                                       follow it, apply the parked reports in order
    parked             its time is up                             dead letter, unmatched
    followed           the same sent again                        ignore
    followed           a sent with another message id             dead letter, conflict
    followed           report                                     see MOVES
    followed           its end                                    publish unknown, final
    final              its end and the time to remember are over  as nothing
    any                report with an unmapped status             ignore, but count; never parked
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from bridge.core.attempt import Followed, Parked, ParkedReport, Policy, State, forget_at
from bridge.core.delivery import FINAL_RANK, RANKS, Reason, Source, Status, Verdict, Word, format_rfc3339
from bridge.core.entries import AttemptKey, Entry, Report, Sent
from bridge.core.errors import DeadLetterReason
from bridge.core.publication import Publication, make_delivery


class FoldOutcome(Word):
    """What became of an entry: a label of the metrics."""

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
    """Something for the dead letter topic: the words are in the journal, at this offset."""

    reason: DeadLetterReason
    error: str
    offset: int


class EntryPosition(NamedTuple):
    """Where in the journal an entry stands, and when the broker took it."""

    offset: int
    journaled_at: int


class FoldResult(NamedTuple):
    """The whole effect of one entry or one timer."""

    state: State
    outcome: FoldOutcome
    publications: tuple[Publication, ...] = ()
    rejections: tuple[Rejection, ...] = ()


def fold(key: str, state: State, entry: Entry, at: EntryPosition, policy: Policy) -> FoldResult:
    """What an entry changes.

    Args:
        key: The attempt's key.
        state: What is known of the attempt.
        entry: What was learnt.
        at: The entry's place and time; the only clock there is, so folding again gives the same.
        policy: The settings.
    """
    if isinstance(state, Followed) and state.final_at is not None and forget_at(state, policy) <= at.journaled_at:
        state = None
    return _RULES[type(state), type(entry)](key, state, entry, at, policy)


def expire(key: str, state: Parked | Followed, now: int, policy: Policy) -> FoldResult:
    """What happens when the attempt's timer runs out."""
    if isinstance(state, Parked):
        return discard(state, DeadLetterReason.UNMATCHED, "no sent came for it in time", policy)
    if state.final_at is not None:
        return FoldResult(None, FoldOutcome.FORGOTTEN)
    reason = Reason.NO_REPORT if state.status is None else Reason.NO_FINAL_REPORT
    return _publish(key, state, _deadline_report(key, now, reason), now, policy)


def discard(state: Parked, reason: DeadLetterReason, error: str, policy: Policy) -> FoldResult:
    """Give parked reports up."""
    if reason is DeadLetterReason.UNMATCHED and not policy.dead_letter_unmatched:
        return FoldResult(None, FoldOutcome.UNMATCHED)
    return FoldResult(
        None, FoldOutcome.UNMATCHED, (), tuple(Rejection(reason, error, parked.offset) for parked in state.reports)
    )


# --- what a sent does -------------------------------------------------------------------------------------------------


def _follow(key: str, state: Parked | None, entry: Sent, at: EntryPosition, policy: Policy) -> FoldResult:
    # A sent that is read again long after (a rewind) must not start a second life: its own times tell.
    if min(entry.gives_up_at, entry.sent_at + policy.max_follow) <= at.journaled_at:
        rejection = Rejection(
            DeadLetterReason.TOO_OLD,
            f"nobody follows it and its end was {format_rfc3339(entry.gives_up_at)}",
            at.offset,
        )
        return FoldResult(state, FoldOutcome.TOO_OLD, (), (rejection,))
    followed = Followed(
        message_id=entry.message_id,
        sent_at=entry.sent_at,
        starts_at=entry.starts_at,
        ends_at=min(entry.gives_up_at, at.journaled_at + policy.max_follow),
        recipient=entry.recipient,
        sender=entry.sender,
        metadata=entry.metadata,
        traceparent=entry.traceparent,
    )
    return _pick_up(key, followed, state, at, policy) if state else FoldResult(followed, FoldOutcome.FOLLOWED)


def _pick_up(key: str, followed: Followed, parked: Parked, at: EntryPosition, policy: Policy) -> FoldResult:
    state: State = followed
    publications: list[Publication] = []
    for report in parked.reports:
        folded = _hear(key, state, report.to_report(), at, policy)  # type: ignore[arg-type]  # hearing a report never unfollows
        state = folded.state
        publications += folded.publications
    return FoldResult(state, FoldOutcome.FOLLOWED, tuple(publications))


def _sent_again(_key: str, state: Followed, entry: Sent, at: EntryPosition, _policy: Policy) -> FoldResult:
    if entry.message_id == state.message_id:
        return FoldResult(state, FoldOutcome.DUPLICATE)
    error = f"the attempt already belongs to message {state.message_id!r}"
    return FoldResult(state, FoldOutcome.CONFLICT, (), (Rejection(DeadLetterReason.CONFLICT, error, at.offset),))


# --- what a report does -----------------------------------------------------------------------------------------------


def _park(_key: str, state: Parked | None, entry: Report, at: EntryPosition, policy: Policy) -> FoldResult:
    verdict = entry.verdict
    if verdict is None:
        return FoldResult(state, FoldOutcome.UNMAPPED)
    parked = state or Parked(at.journaled_at + policy.park_for, ())
    if any(known.verdict.status is verdict.status for known in parked.reports):
        return FoldResult(parked, FoldOutcome.DUPLICATE)
    report = ParkedReport.from_report(at.offset, entry, verdict)
    return FoldResult(Parked(parked.until, (*parked.reports, report)), FoldOutcome.PARKED)


class Move(Word):
    """What a mapped report does to a followed attempt."""

    PUBLISH = "publish"
    CORRECT = "correct"
    DUPLICATE = "duplicate"
    STALE = "stale"
    LATE = "late"


def _move(known: Status | None, reported: Status) -> Move:
    if known is None:
        return Move.PUBLISH
    if known is reported:
        return Move.DUPLICATE
    if RANKS[known] < FINAL_RANK:
        return Move.PUBLISH if RANKS[reported] > RANKS[known] else Move.STALE
    final_overrules_unknown = known is Status.UNKNOWN and RANKS[reported] == FINAL_RANK
    return Move.CORRECT if reported is Status.DELIVERED or final_overrules_unknown else Move.LATE


MOVES: Mapping[tuple[Status | None, Status], Move] = {
    (known, reported): _move(known, reported) for known in (None, *Status) for reported in Status
}
"""Every pair of what is known and what is reported. Never by the provider's clock, never back."""


def _hear(key: str, state: Followed, entry: Report, at: EntryPosition, policy: Policy) -> FoldResult:
    if entry.status is None:
        return FoldResult(state, FoldOutcome.UNMAPPED)
    move = MOVES[state.status, entry.status]
    if move is Move.PUBLISH or move is Move.CORRECT:
        return _publish(key, state, entry, at.journaled_at, policy)
    return FoldResult(state, FoldOutcome(move.value))


_RULES: Mapping[tuple[type, type], Callable[..., FoldResult]] = {
    (type(None), Sent): _follow,
    (type(None), Report): _park,
    (Parked, Sent): _follow,
    (Parked, Report): _park,
    (Followed, Sent): _sent_again,
    (Followed, Report): _hear,
}


# --- what is published ------------------------------------------------------------------------------------------------


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
    )
    if not is_published:
        return FoldResult(changed, FoldOutcome.WITHHELD)
    publication = Publication(make_delivery(key, state, report, verdict), report.observed_at, state.traceparent)
    return FoldResult(changed, FoldOutcome.PUBLISHED, (publication,))


def _deadline_report(key: str, now: int, reason: Reason) -> Report:
    status, source = Status.UNKNOWN, Source.DEADLINE
    return Report(*AttemptKey.parse(key), status, reason, None, None, None, {}, None, source, now, "")
