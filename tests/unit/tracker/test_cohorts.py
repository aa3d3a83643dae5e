"""Attempts are counted once when they begin and once when they end, by how long ago they were sent."""

from collections.abc import Sequence

import pytest
from prometheus_client import CollectorRegistry

from bridge.core.attempt import Followed, State
from bridge.core.delivery import Status
from bridge.core.entries import Entry
from bridge.observability.metrics import Metrics
from bridge.state.keys import StateChange, StoredAttempt
from bridge.tracker.cohorts import AGES, OUTCOMES, CohortMetrics
from tests.support.core.story import HOUR, KEY, SENT_AT, fold_entries, report, sent

STARTED, ENDED = "sms_bridge_attempts_started_total", "sms_bridge_attempts_ended_total"


class Counted:
    """The counters, and what moves them."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._cohorts = CohortMetrics(Metrics(self.registry).attempts)
        self.state: State = None

    def fold(self, *entries: Entry, age_ms: int) -> None:
        """Commit a batch of entries at an age of the attempt."""
        after = fold_entries(entries, state=self.state).state
        before = StoredAttempt(self.state, 0, 0) if self.state else None
        self._cohorts.record([StateChange(KEY, before, after, b"")], (SENT_AT + age_ms) / 1000)
        self.state = after

    def values(self, name: str) -> dict[tuple[str, ...], float]:
        """Return a counter's values above 0, by the labels after the account."""
        metrics = [metric for metric in self.registry.collect() if metric.name == name.removesuffix("_total")]
        samples = [sample for metric in metrics for sample in metric.samples if sample.name == name and sample.value]
        return {
            tuple(v for k, v in sample.labels.items() if k not in {"provider", "account"}): sample.value
            for sample in samples
        }


def test_all_series_of_an_account_begin_together() -> None:
    """Otherwise Prometheus would miss the first increase of a rare one, and sums over ages would have no value."""
    counted = Counted()
    counted.fold(sent(), age_ms=0)
    for name, number in ((STARTED, len(AGES)), (ENDED, len(AGES) * len(OUTCOMES))):
        (metric,) = (m for m in counted.registry.collect() if m.name == name.removesuffix("_total"))
        assert len([sample for sample in metric.samples if sample.name == name]) == number


@pytest.mark.parametrize(
    ("ages", "started", "ended"),
    [((1_000, 30_000), "1m", "1m"), ((1_000, 300_000), "1m", "10m"), ((2 * HOUR, 7 * HOUR), "6h", "more")],
)
def test_age_is_that_of_the_moment(ages: tuple[int, int], started: str, ended: str) -> None:
    """A message that is heard of late is counted where it was sent."""
    counted = Counted()
    counted.fold(sent(), age_ms=ages[0])
    counted.fold(report(Status.SENT), age_ms=ages[0] + 1)
    assert counted.values(ENDED) == {}
    counted.fold(report(Status.DELIVERED), age_ms=ages[1])
    assert counted.values(STARTED) == {(started,): 1}
    assert counted.values(ENDED) == {(ended, "delivered"): 1}


@pytest.mark.parametrize(
    ("reports", "outcome"),
    [
        ([Status.DELIVERED, Status.DELIVERED], "delivered"),
        ([Status.UNDELIVERED, Status.DELIVERED], "not_delivered"),
        ([Status.UNKNOWN, Status.EXPIRED], "unknown"),
    ],
)
def test_each_attempt_ends_once(reports: Sequence[Status], outcome: str) -> None:
    """Neither a duplicate nor a correction counts."""
    counted = Counted()
    counted.fold(sent(), age_ms=0)
    for status in reports:
        counted.fold(report(status), age_ms=1_000)
    assert counted.values(ENDED) == {("1m", outcome): 1}


def test_whole_story_in_one_batch() -> None:
    """It begins and ends there."""
    counted = Counted()
    counted.fold(sent(), report(Status.SENT), report(Status.DELIVERED), age_ms=5_000)
    assert (counted.values(STARTED), counted.values(ENDED)) == ({("1m",): 1}, {("1m", "delivered"): 1})


def test_parked_reports_are_no_beginning() -> None:
    """Only a sent event says when a message was sent."""
    counted = Counted()
    counted.fold(report(Status.DELIVERED), age_ms=1_000)
    assert counted.values(STARTED) == {}
    counted.fold(sent(), age_ms=120_000)
    assert (counted.values(STARTED), counted.values(ENDED)) == ({("10m",): 1}, {("10m", "delivered"): 1})
    assert isinstance(counted.state, Followed)


def test_scheduled_messages_begin_when_they_are_due() -> None:
    """Their age counts from then, as everywhere."""
    counted = Counted()
    counted.fold(sent(starts_at=SENT_AT + 5 * HOUR), age_ms=0)
    counted.fold(report(Status.DELIVERED), age_ms=5 * HOUR + 30_000)
    assert (counted.values(STARTED), counted.values(ENDED)) == ({("1m",): 1}, {("1m", "delivered"): 1})
