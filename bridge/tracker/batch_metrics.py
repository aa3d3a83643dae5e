"""Counts a batch in the metrics once it is committed."""

import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

import prometheus_client

from bridge.core.delivery import Status
from bridge.core.publication import Publication
from bridge.dead_letters import DeadLetters
from bridge.observability.metrics import AttemptMetrics, TrackerMetrics
from bridge.tracker.batch import Batch
from bridge.tracker.cohorts import CohortMetrics
from bridge.tracker.detail_metrics import DetailMetrics


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
        self._cohorts, self._details = CohortMetrics(attempts), DetailMetrics(attempts)
        self._published: Counter[tuple[str, ...]] = Counter()

    def snapshot(self) -> Mapping[tuple[str, ...], int]:
        """How many events this process has published, by provider and status."""
        return dict(self._published)

    def record(self, batch: Batch) -> None:
        """Count a batch."""
        for (provider, source, outcome), number in batch.outcomes.items():
            if source != "sent":
                self._metrics.reports_folded.labels(provider, source, outcome).inc(number)
            elif outcome == "duplicate":
                self._sent_skipped.labels("duplicate").inc(number)
        for reason, number in Counter(letter.rejection.reason for letter in batch.dead_letters).items():
            self._dead_letters.count(reason, number)
        self._record_events(batch.publications)
        self._cohorts.record(batch.list_transitions(), time.time())
        self._details.record(batch.publications)

    def _record_events(self, publications: Sequence[Publication]) -> None:
        metrics, now = self._metrics, time.time()
        published: Counter[tuple[str, str, str, str]] = Counter()
        failed: Counter[tuple[str, str, str]] = Counter()
        latencies: defaultdict[tuple[str, str, str], list[float]] = defaultdict(list)
        metrics.publish_delay.observe_all([max(0.0, now - one.timestamp / 1000) for one in publications])
        for delivery, _, _ in publications:
            published[delivery.provider, delivery.account, delivery.status, delivery.source] += 1
            if delivery.corrects:
                metrics.corrections_published.labels(delivery.provider, delivery.account).inc()
            if delivery.final and delivery.status is not Status.DELIVERED:
                failed[delivery.provider, delivery.account, delivery.reason] += 1
            if delivery.final and delivery.latency_seconds is not None:
                latencies[delivery.provider, delivery.account, delivery.status].append(delivery.latency_seconds)
        for (provider, account, status, source), number in published.items():
            metrics.deliveries_published.labels(provider, account, status, source).inc(number)
            self._published[provider, str(status)] += number
        for failure, number in failed.items():
            metrics.failures_published.labels(*failure).inc(number)
        for labels, seconds in latencies.items():
            metrics.delivery_latency.labels(*labels).observe_all(seconds)
