"""Counts and times published events in the metrics."""

import time
from collections import Counter, defaultdict
from collections.abc import Sequence

from bridge.core.delivery import FINAL_RANK, OUTCOMES, RANKS, Delivery, Reason, Source, Status
from bridge.core.publication import Publication
from bridge.observability.metrics import AttemptMetrics, TrackerMetrics
from bridge.tracker.detail_metrics import DetailMetrics

_Labels = tuple[str, str, Status, Source, Reason, bool]
"""What metrics tell apart of events: provider, account, status, source, reason, and whether it is a correction."""


class EventMetrics:
    """Counts published events.

    Args:
        metrics: The tracker's metrics.
        attempts: The metrics of attempts.
    """

    def __init__(self, metrics: TrackerMetrics, attempts: AttemptMetrics) -> None:
        self._metrics, self._details = metrics, DetailMetrics(attempts)
        self.published: Counter[tuple[str, ...]] = Counter()
        """How many events this process has published, by provider and status."""

    def record(self, publications: Sequence[Publication]) -> None:
        """Count the events of a batch that was committed."""
        now = time.time()
        self._metrics.publish_delay.observe_all([max(0.0, now - one.timestamp / 1000) for one in publications])
        # What metrics tell apart is looked up once for all events that share it, not for each.
        groups: defaultdict[_Labels, list[Delivery]] = defaultdict(list)
        for one in publications:
            event = one.delivery
            is_correction = event.corrects is not None
            groups[event.provider, event.account, event.status, event.source, event.reason, is_correction].append(event)
        for labels, events in groups.items():
            self._record_group(labels, events)

    def _record_group(self, labels: _Labels, events: Sequence[Delivery]) -> None:
        metrics, number = self._metrics, len(events)
        provider, account, status, source, reason, is_correction = labels
        metrics.deliveries_published.labels(provider, account, status, source).inc(number)
        self.published[provider, str(status)] += number
        if is_correction:
            metrics.corrections_published.labels(provider, account).inc(number)
        if RANKS[status] < FINAL_RANK:
            return
        if status is not Status.DELIVERED:
            metrics.failures_published.labels(provider, account, reason).inc(number)
        latencies = [event.latency_seconds for event in events if event.latency_seconds is not None]
        if latencies:
            metrics.delivery_latency.labels(provider, account, status).observe_all(latencies)
        if not is_correction:
            self._details.record(provider, account, OUTCOMES[status], [event.provider_details for event in events])
