"""What the metrics are told of a committed batch."""

import time
from collections import Counter
from collections.abc import Iterable
from typing import Any

from bridge.core.delivery import Status
from bridge.core.publication import Publication
from bridge.observability.metrics import Metrics
from bridge.tracker.batch import Batch


def record_batch(batch: Batch, metrics: Metrics) -> None:
    """Tell of what was folded, turned down and published."""
    for (provider, source, outcome), times in batch.outcomes.items():
        if source != "sent":
            metrics.reports_folded.labels(provider, source, outcome).inc(times)
        elif outcome == "duplicate":
            metrics.sent_skipped.labels("duplicate").inc(times)
    for complaint in batch.complaints:
        metrics.dead_letters_written.labels(complaint.letter.reason.value).inc()
    _count_events(batch.publications, metrics)


def _count_events(publications: Iterable[Publication], metrics: Metrics) -> None:
    now = time.time()
    published: Counter[tuple[str, str, str]] = Counter()
    failed: Counter[tuple[str, str]] = Counter()
    latencies: dict[tuple[str, str], Any] = {}  # finding a label's histogram takes longer than telling it something
    for delivery, observed_at, _ in publications:
        published[delivery.provider, delivery.status, delivery.source] += 1
        metrics.publish_delay.observe(max(0.0, now - observed_at / 1000))
        if delivery.corrects:
            metrics.corrections_published.labels(delivery.provider).inc()
        if delivery.final and delivery.status is not Status.DELIVERED:
            failed[delivery.provider, delivery.reason] += 1
        if delivery.final and delivery.latency_seconds is not None:
            labels = delivery.provider, delivery.status
            if labels not in latencies:
                latencies[labels] = metrics.delivery_latency.labels(*labels)
            latencies[labels].observe(delivery.latency_seconds)
    for (provider, status, source), times in published.items():
        metrics.deliveries_published.labels(provider, status, source).inc(times)
    for (provider, reason), times in failed.items():
        metrics.failures_published.labels(provider, reason).inc(times)
