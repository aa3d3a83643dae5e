"""The rules of an attempt's lifecycle."""

from itertools import pairwise

import pytest

from bridge.core.attempt import Followed, Parked, Policy, compute_forget_time
from bridge.core.delivery import FINAL_RANK, RANKS, Reason, Source, Status, make_event_id
from bridge.core.lifecycle import EntryPosition, FoldOutcome, expire, fold
from bridge.core.moves import MOVES, Move
from tests.support.core.story import HOUR, KEY, POLICY, SENT_AT, expire_timers, fold_entries, report, sent

FINALS = [status for status in Status if RANKS[status] == FINAL_RANK]


def test_early_statuses_are_published_in_order() -> None:
    """pending, sent, pending, failed, sent, delivered are four events; the fourth corrects the third."""
    statuses = [Status.PENDING, Status.SENT, Status.PENDING, Status.FAILED, Status.SENT, Status.DELIVERED]
    story = fold_entries([sent(), *map(report, statuses)])
    assert story.statuses == ["pending", "sent", "failed", "delivered"]
    assert [delivery.sequence for delivery in story.deliveries] == [1, 2, 3, 4]
    assert [delivery.corrects for delivery in story.deliveries] == [None, None, None, story.deliveries[2].event_id]
    for earlier, later in pairwise(story.deliveries):
        assert later.previous_status is earlier.status


def test_the_same_report_again_publishes_nothing() -> None:
    """Five identical callbacks are one event."""
    story = fold_entries([sent(), *[report(Status.DELIVERED)] * 5])
    assert story.statuses == ["delivered"]
    assert [step.outcome for step in story.steps[2:]] == [FoldOutcome.DUPLICATE] * 4


def test_an_event_says_everything_that_is_known() -> None:
    """A published event has the sender's members, the provider's texts and the times."""
    reported = report(
        Status.FAILED,
        reason=Reason.UNSPECIFIED,
        permanent=True,
        provider_code="27",
        provider_details={"mccmnc": "63902"},
        provider_time=SENT_AT + 400,
    )
    (event,) = fold_entries([sent(metadata={"campaign": "7"}), reported]).deliveries
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
    """A missing or implausible time is replaced by the time of the report; then only a callback has a latency."""
    reported = report(Status.DELIVERED, provider_time=provider_time, source=source)
    (event,) = fold_entries([sent(), reported]).deliveries
    assert event.occurred_at_source == ("provider" if believed else "observed")
    assert (event.occurred_at == event.observed_at) is not believed
    assert event.latency_seconds == latency


def test_a_report_before_its_sent_waits_for_it() -> None:
    """Early reports are applied when the sent event is read, in the order in which they were received."""
    story = fold_entries([report(Status.PENDING), report(Status.SENT), report(Status.DELIVERED), sent()])
    assert story.statuses == ["pending", "sent", "delivered"]
    assert [delivery.sequence for delivery in story.deliveries] == [1, 2, 3]
    assert not story.reasons


def test_only_the_first_early_report_of_each_status_is_kept() -> None:
    """Parked reports are limited: one for each status, without its raw text, and none with an unmapped status."""
    story = fold_entries([report(Status.SENT), report(None), report(Status.SENT), report(Status.DELIVERED)])
    assert isinstance(story.state, Parked)
    assert [parked.offset for parked in story.state.reports] == [0, 3]
    assert all(not parked.to_report().raw for parked in story.state.reports)
    assert [step.outcome for step in story.steps] == ["parked", "unmapped", "duplicate", "parked"]


def test_an_early_report_that_nobody_sent_becomes_a_dead_letter() -> None:
    """After the waiting time, each early report becomes a dead letter, by its offset in the journal."""
    story = expire_timers(fold_entries([report(Status.SENT), report(Status.DELIVERED)]))
    assert story.reasons == ["unmatched", "unmatched"]
    assert [letter.offset for letter in story.steps[-1].rejections] == [0, 1]
    assert story.state is None


def test_unmatched_reports_may_be_only_counted() -> None:
    """For an account that other systems also use, an unmatched report doesn't become a dead letter."""
    policy = Policy(dead_letter_unmatched=False)
    story = expire_timers(fold_entries([report(Status.SENT)], policy=policy), policy)
    assert story.reasons == []
    assert story.steps[-1].outcome is FoldOutcome.UNMATCHED


def test_the_same_sent_again_changes_nothing() -> None:
    """A sent event that is read twice is one attempt, also after it has ended."""
    story = fold_entries([sent(), report(Status.DELIVERED), sent()])
    assert story.statuses == ["delivered"]
    assert story.steps[-1].outcome is FoldOutcome.DUPLICATE


def test_another_message_may_not_claim_an_attempt() -> None:
    """A provider's id belongs to the first message with it; a second message becomes a dead letter."""
    story = fold_entries([sent(), sent(message_id="m-2"), report(Status.DELIVERED)])
    assert story.reasons == ["conflict"]
    assert [delivery.message_id for delivery in story.deliveries] == ["m-1"]


def test_an_attempt_nobody_reports_ends_unknown() -> None:
    """An attempt without a report until its end gets a final event: unknown, no_report, by deadline."""
    story = expire_timers(fold_entries([sent()]))
    (event,) = story.deliveries
    assert (event.status, event.reason, event.source, event.final) == ("unknown", "no_report", "deadline", True)
    assert (event.outcome, event.latency_seconds, event.provider_status) == ("unknown", None, None)
    assert event.observed_at == event.occurred_at == "2023-11-16T21:13:20.000Z"


def test_an_attempt_with_only_interim_reports_ends_unknown() -> None:
    """An attempt with interim reports only gets a final event at its deadline, too."""
    story = expire_timers(fold_entries([sent(), report(Status.SENT)]))
    assert story.statuses == ["sent", "unknown"]
    assert story.deliveries[-1].reason is Reason.NO_FINAL_REPORT
    assert story.deliveries[-1].previous_status is Status.SENT


@pytest.mark.parametrize("status", [status for status in FINALS if status is not Status.UNKNOWN])
def test_any_final_report_corrects_unknown(status: Status) -> None:
    """A report after the deadline is still published, as a correction."""
    story = fold_entries([sent()])
    assert isinstance(story.state, Followed)
    ended = expire(KEY, story.state, story.state.ends_at, POLICY)
    late = fold(KEY, ended.state, report(status), EntryPosition(9, SENT_AT + 48 * HOUR), POLICY)
    (publication,) = late.publications
    assert publication.delivery.corrects == ended.publications[0].delivery.event_id
    assert publication.delivery.status is status


def test_every_pair_of_known_and_reported_has_its_move() -> None:
    """No status goes back. Only delivered corrects any final status; any other final status corrects only unknown."""
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


def test_a_word_nobody_mapped_changes_nothing() -> None:
    """An unmapped status is counted and never published."""
    story = fold_entries([sent(), report(None), report(Status.SENT), report(None)])
    assert story.statuses == ["sent"]
    assert [step.outcome for step in story.steps] == ["followed", "unmapped", "published", "unmapped"]


def test_a_sent_whose_end_has_passed_is_too_old() -> None:
    """A sent event of an unknown attempt is not followed if its end has passed."""
    story = fold_entries([sent(gives_up_at=SENT_AT - 1)])
    assert story.reasons == ["too_old"]
    assert story.state is None


def test_a_final_attempt_is_remembered_until_its_end_and_a_day() -> None:
    """A rewind of sms.sent publishes nothing twice: a final attempt is remembered at least until its end."""
    story = fold_entries([sent(), report(Status.DELIVERED)])
    assert isinstance(story.state, Followed)
    forgotten_at = compute_forget_time(story.state, POLICY)
    assert forgotten_at == story.state.ends_at
    remembered = fold(KEY, story.state, sent(), EntryPosition(9, forgotten_at - 1), POLICY)
    assert remembered.outcome is FoldOutcome.DUPLICATE
    forgotten = fold(KEY, story.state, sent(), EntryPosition(9, forgotten_at), POLICY)
    assert [letter.reason for letter in forgotten.rejections] == ["too_old"]
    assert not forgotten.publications


def test_what_ends_late_is_remembered_for_a_day_after() -> None:
    """After the end, a final status is remembered for a day, so that late duplicates are recognized."""
    story = fold_entries([sent()])
    assert isinstance(story.state, Followed)
    ended = expire(KEY, story.state, story.state.ends_at, POLICY).state
    assert isinstance(ended, Followed)
    assert compute_forget_time(ended, POLICY) == story.state.ends_at + POLICY.remember_for


def test_an_attempt_is_followed_for_a_week_at_the_most() -> None:
    """An attempt ends, however far away its deadline is."""
    story = fold_entries([sent(starts_at=SENT_AT + 1000 * HOUR, gives_up_at=SENT_AT + 1047 * HOUR)])
    assert isinstance(story.state, Followed)
    assert story.state.ends_at == SENT_AT + POLICY.max_follow


def test_a_rewound_far_scheduled_sent_is_not_begun_again() -> None:
    """A sent event scheduled beyond the maximum time ends once, also when it is read again later."""
    far = sent(starts_at=SENT_AT + 1000 * HOUR, gives_up_at=SENT_AT + 1047 * HOUR)
    story = expire_timers(fold_entries([far]))
    assert story.statuses == ["unknown"]
    for days in (8, 9, 42, 44):
        again = fold(KEY, story.state, far, EntryPosition(9, SENT_AT + days * 24 * HOUR), POLICY)
        assert [letter.reason for letter in again.rejections] == ["too_old"]


def test_interim_events_can_be_withheld() -> None:
    """If only final events are published, interim reports are remembered; sequences still have no gaps."""
    policy = Policy(emit_interim=False)
    story = fold_entries([sent(), report(Status.SENT), report(Status.DELIVERED)], policy=policy)
    (event,) = story.deliveries
    assert (event.status, event.sequence, event.previous_status) == ("delivered", 1, "sent")
    assert story.steps[1].outcome is FoldOutcome.WITHHELD


def test_the_sender_s_trace_travels_beside_each_event() -> None:
    """The traceparent of the sent event is passed on."""
    story = fold_entries([sent(traceparent="00-abc-def-01"), report(Status.DELIVERED)])
    assert story.steps[-1].publications[0].traceparent == "00-abc-def-01"
