"""The rules of an attempt's lifecycle."""

from itertools import pairwise

import pytest

from bridge.core.attempt import Followed, Parked, Policy, forget_at
from bridge.core.delivery import FINAL_RANK, RANKS, Reason, Source, Status, make_event_id
from bridge.core.lifecycle import MOVES, EntryPosition, FoldOutcome, Move, expire, fold
from tests.support.core.story import HOUR, KEY, POLICY, SENT_AT, expire_timers, fold_entries, report, sent

FINALS = [status for status in Status if RANKS[status] == FINAL_RANK]


def test_early_statuses_are_published_in_order() -> None:
    """Pending, sent, pending, failed, sent, delivered give four events; the fourth corrects the third."""
    words = [Status.PENDING, Status.SENT, Status.PENDING, Status.FAILED, Status.SENT, Status.DELIVERED]
    told = fold_entries([sent(), *map(report, words)])
    assert told.statuses == ["pending", "sent", "failed", "delivered"]
    assert [delivery.sequence for delivery in told.deliveries] == [1, 2, 3, 4]
    assert [delivery.corrects for delivery in told.deliveries] == [None, None, None, told.deliveries[2].event_id]
    for earlier, later in pairwise(told.deliveries):
        assert later.previous_status is earlier.status


def test_repeated_report_publishes_nothing() -> None:
    """Five identical reports are one event."""
    told = fold_entries([sent(), *[report(Status.DELIVERED)] * 5])
    assert told.statuses == ["delivered"]
    assert [step.outcome for step in told.steps[2:]] == [FoldOutcome.DUPLICATE] * 4


def test_event_is_complete() -> None:
    """An event has the sender's members, the provider's words and the times."""
    heard = report(
        Status.FAILED,
        reason=Reason.UNSPECIFIED,
        permanent=True,
        provider_code="27",
        provider_details={"mccmnc": "63902"},
        provider_time=SENT_AT + 400,
    )
    (event,) = fold_entries([sent(metadata={"campaign": "7"}), heard]).deliveries
    assert event.as_json() == {
        "event_id": make_event_id("m-1", KEY, 1),
        "message_id": "m-1",
        "provider": "dexatel",
        "account": "default",
        "provider_message_id": "p-1",
        "recipient": "254700000001",
        "sender": "ACME",
        "outcome": "not_delivered",
        "status": "failed",
        "final": True,
        "permanent": True,
        "reason": "unspecified",
        "provider_status": "failed",
        "provider_code": "27",
        "provider_details": {"mccmnc": "63902"},
        "previous_status": None,
        "sequence": 1,
        "corrects": None,
        "source": "callback",
        "sent_at": "2023-11-14T22:13:20.000Z",
        "observed_at": "2023-11-14T22:13:21.000Z",
        "occurred_at": "2023-11-14T22:13:20.400Z",
        "occurred_at_source": "provider",
        "latency_seconds": 0.4,
        "metadata": {"campaign": "7"},
    }


@pytest.mark.parametrize(
    ("provider_time", "source", "believed", "latency"),
    [
        (SENT_AT + 500, Source.CALLBACK, True, 0.5),
        (SENT_AT + 500, Source.POLL, True, 0.5),
        (SENT_AT - 4 * 60_000, Source.CALLBACK, True, 0),
        (SENT_AT - 6 * 60_000, Source.CALLBACK, False, 1),
        (SENT_AT + 7 * 60_000, Source.CALLBACK, False, 1),
        (SENT_AT + 7 * 60_000, Source.POLL, False, None),
        (None, Source.CALLBACK, False, 1),
        (None, Source.POLL, False, None),
    ],
)
def test_implausible_provider_time_is_replaced(
    *, provider_time: int | None, source: Source, believed: bool, latency: float | None
) -> None:
    """The time of receipt is used, and gives a latency only for a callback."""
    heard = report(Status.DELIVERED, provider_time=provider_time, source=source)
    (event,) = fold_entries([sent(), heard]).deliveries
    assert event.occurred_at_source == ("provider" if believed else "observed")
    assert (event.occurred_at == event.observed_at) is not believed
    assert event.latency_seconds == latency


def test_early_reports_are_parked() -> None:
    """They are applied in their order when the sent event arrives."""
    told = fold_entries([report(Status.PENDING), report(Status.SENT), report(Status.DELIVERED), sent()])
    assert told.statuses == ["pending", "sent", "delivered"]
    assert [delivery.sequence for delivery in told.deliveries] == [1, 2, 3]
    assert not told.reasons


def test_parked_reports_are_limited() -> None:
    """Only the first report of each status is kept, without its words, and no unmapped one."""
    told = fold_entries([report(Status.SENT), report(None), report(Status.SENT), report(Status.DELIVERED)])
    assert isinstance(told.state, Parked)
    assert [parked.offset for parked in told.state.reports] == [0, 3]
    assert all(not parked.to_report().raw for parked in told.state.reports)
    assert [step.outcome for step in told.steps] == ["parked", "unmapped", "duplicate", "parked"]


def test_expired_parked_reports_are_dead_letters() -> None:
    """After the parking time each becomes a dead letter with its position in the journal."""
    told = expire_timers(fold_entries([report(Status.SENT), report(Status.DELIVERED)]))
    assert told.reasons == ["unmatched", "unmatched"]
    assert [letter.offset for letter in told.steps[-1].rejections] == [0, 1]
    assert told.state is None


def test_unmatched_reports_can_be_counted_only() -> None:
    """For an account that is shared with others they are no dead letters."""
    policy = Policy(dead_letter_unmatched=False)
    told = expire_timers(fold_entries([report(Status.SENT)], policy=policy), policy)
    assert told.reasons == []
    assert told.steps[-1].outcome is FoldOutcome.UNMATCHED


def test_repeated_sent_event_changes_nothing() -> None:
    """Also after the attempt has ended."""
    told = fold_entries([sent(), report(Status.DELIVERED), sent()])
    assert told.statuses == ["delivered"]
    assert told.steps[-1].outcome is FoldOutcome.DUPLICATE


def test_conflicting_sent_event_is_a_dead_letter() -> None:
    """A provider's id belongs to the first message that was sent with it."""
    told = fold_entries([sent(), sent(message_id="m-2"), report(Status.DELIVERED)])
    assert told.reasons == ["conflict"]
    assert [delivery.message_id for delivery in told.deliveries] == ["m-1"]


def test_attempt_without_reports_ends_unknown() -> None:
    """The reason is no_report, the source deadline."""
    told = expire_timers(fold_entries([sent()]))
    (event,) = told.deliveries
    assert (event.status, event.reason, event.source, event.final) == ("unknown", "no_report", "deadline", True)
    assert (event.outcome, event.latency_seconds, event.provider_status) == ("unknown", None, None)
    assert event.observed_at == event.occurred_at == "2023-11-16T21:13:20.000Z"


def test_attempt_with_interim_reports_ends_unknown() -> None:
    """Interim reports are not final."""
    told = expire_timers(fold_entries([sent(), report(Status.SENT)]))
    assert told.statuses == ["sent", "unknown"]
    assert told.deliveries[-1].reason is Reason.NO_FINAL_REPORT
    assert told.deliveries[-1].previous_status is Status.SENT


@pytest.mark.parametrize("status", [status for status in FINALS if status is not Status.UNKNOWN])
def test_any_final_report_corrects_unknown(status: Status) -> None:
    """A report after the deadline is published as a correction."""
    told = fold_entries([sent()])
    assert isinstance(told.state, Followed)
    ended = expire(KEY, told.state, told.state.ends_at, POLICY)
    late = fold(KEY, ended.state, report(status), EntryPosition(9, SENT_AT + 48 * HOUR), POLICY)
    (publication,) = late.publications
    assert publication.delivery.corrects == ended.publications[0].delivery.event_id
    assert publication.delivery.status is status


def test_every_status_transition() -> None:
    """No status moves back; only delivered, or anything after unknown, overrules a final status."""
    for (known, reported), move in MOVES.items():
        known_rank = 0 if known is None else RANKS[known]
        if known is reported:
            expected = Move.DUPLICATE
        elif known_rank < FINAL_RANK:
            expected = Move.PUBLISH if RANKS[reported] > known_rank else Move.STALE
        elif reported is Status.DELIVERED or (known is Status.UNKNOWN and RANKS[reported] == FINAL_RANK):
            expected = Move.CORRECT
        else:
            expected = Move.LATE
        assert move is expected, (known, reported)
    assert len(MOVES) == len(Status) * (len(Status) + 1)


def test_unmapped_status_changes_nothing() -> None:
    """It is counted and never published."""
    told = fold_entries([sent(), report(None), report(Status.SENT), report(None)])
    assert told.statuses == ["sent"]
    assert [step.outcome for step in told.steps] == ["followed", "unmapped", "published", "unmapped"]


def test_expired_sent_event_is_too_old() -> None:
    """A sent event that is read after its deadline is not followed."""
    told = fold_entries([sent(gives_up_at=SENT_AT - 1)])
    assert told.reasons == ["too_old"]
    assert told.state is None


def test_final_attempt_is_remembered() -> None:
    """Until its deadline plus a day, so that a rewind of sms.sent publishes nothing twice."""
    told = fold_entries([sent(), report(Status.DELIVERED)])
    assert isinstance(told.state, Followed)
    gone = forget_at(told.state, POLICY)
    assert gone == told.state.ends_at
    remembered = fold(KEY, told.state, sent(), EntryPosition(9, gone - 1), POLICY)
    assert remembered.outcome is FoldOutcome.DUPLICATE
    forgotten = fold(KEY, told.state, sent(), EntryPosition(9, gone), POLICY)
    assert [letter.reason for letter in forgotten.rejections] == ["too_old"]
    assert not forgotten.publications


def test_late_final_attempt_is_remembered_for_a_day() -> None:
    """So that late duplicates are recognised."""
    told = fold_entries([sent()])
    assert isinstance(told.state, Followed)
    ended = expire(KEY, told.state, told.state.ends_at, POLICY).state
    assert isinstance(ended, Followed)
    assert forget_at(ended, POLICY) == told.state.ends_at + POLICY.remember_for


def test_attempt_is_followed_for_a_week_at_most() -> None:
    """Whatever its deadline."""
    told = fold_entries([sent(starts_at=SENT_AT + 1000 * HOUR, gives_up_at=SENT_AT + 1047 * HOUR)])
    assert isinstance(told.state, Followed)
    assert told.state.ends_at == SENT_AT + POLICY.max_follow


def test_rewound_scheduled_sent_event_is_not_repeated() -> None:
    """A sent event scheduled beyond the maximum ends once, even if it is read again."""
    far = sent(starts_at=SENT_AT + 1000 * HOUR, gives_up_at=SENT_AT + 1047 * HOUR)
    told = expire_timers(fold_entries([far]))
    assert told.statuses == ["unknown"]
    for days in (8, 9, 42, 44):
        again = fold(KEY, told.state, far, EntryPosition(9, SENT_AT + days * 24 * HOUR), POLICY)
        assert [letter.reason for letter in again.rejections] == ["too_old"]


def test_interim_events_can_be_withheld() -> None:
    """They are remembered but not published; sequence numbers have no gaps."""
    policy = Policy(emit_interim=False)
    told = fold_entries([sent(), report(Status.SENT), report(Status.DELIVERED)], policy=policy)
    (event,) = told.deliveries
    assert (event.status, event.sequence, event.previous_status) == ("delivered", 1, "sent")
    assert told.steps[1].outcome is FoldOutcome.WITHHELD


def test_traceparent_is_propagated() -> None:
    """Each event has the traceparent of its sent event."""
    told = fold_entries([sent(traceparent="00-abc-def-01"), report(Status.DELIVERED)])
    assert told.steps[-1].publications[0].traceparent == "00-abc-def-01"
