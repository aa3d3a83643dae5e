"""Counts a batch in the metrics once it is committed."""

import time
from collections import Counter
from collections.abc import Iterable, Mapping

import prometheus_client

from bridge.dead_letters import DeadLetters
from bridge.observability.metrics import AttemptMetrics, TrackerMetrics
from bridge.state.keys import StateChange
from bridge.tracker.batch import Batch
from bridge.tracker.cohorts import CohortMetrics
from bridge.tracker.event_counts import EventCounts
from bridge.tracker.event_metrics import EventMetrics


class BatchMetrics:
    """Counts folded entries, dead letters and published events.

    Args:
        metrics: The tracker's metrics.
        attempts: The metrics of attempts.
        sent_skipped: The metric of skipped sent events, shared with the intake.
        dead_letters: Counts dead letters.
    """

    def __init__(
        self,
        metrics: TrackerMetrics,
        attempts: AttemptMetrics,
        sent_skipped: prometheus_client.Counter,
        dead_letters: DeadLetters,
    ) -> None:
        self._metrics, self._sent_skipped, self._dead_letters = metrics, sent_skipped, dead_letters
        self._cohorts, self._events = CohortMetrics(attempts), EventMetrics(metrics, attempts)

    def snapshot(self) -> Mapping[tuple[str, ...], int]:
        """How many events this process has published, by provider and status."""
        return dict(self._events.published)

    def record(self, batch: Batch, events: EventCounts, changes: Iterable[StateChange]) -> None:
        """Count a batch, its events and the attempts that it changed."""
        for (provider, source, outcome), number in batch.outcomes.items():
            if source != "sent":
                self._metrics.reports_folded.labels(provider, source, outcome).inc(number)
            elif outcome == "duplicate":
                self._sent_skipped.labels("duplicate").inc(number)
        for reason, number in Counter(letter.rejection.reason for letter in batch.dead_letters).items():
            self._dead_letters.count(reason, number)
        self._events.record(events)
        self._cohorts.record(changes, time.time())
