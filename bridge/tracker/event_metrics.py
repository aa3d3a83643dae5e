"""Tells the metrics about published events.

Networks and prices are counted once per attempt, with its first final event. The set of networks is limited, because a
provider decides what one is called.
"""

import time
from collections import Counter, defaultdict

from bridge.core.delivery import FINAL_RANK, RANKS, Status
from bridge.observability.metrics import AttemptMetrics, TrackerMetrics
from bridge.tracker.cohorts import OUTCOMES
from bridge.tracker.details import OTHER, UNREPORTED
from bridge.tracker.event_counts import EventCounts

MAX_NETWORKS = 100
"""Of a provider in this process: the first ones that it reports. Together they carry nearly all of its messages."""


class EventMetrics:
    """Counts published events.

    Args:
        metrics: The tracker's metrics.
        attempts: The metrics of attempts.
    """

    def __init__(self, metrics: TrackerMetrics, attempts: AttemptMetrics) -> None:
        self._metrics, self._attempts = metrics, attempts
        self._networks: defaultdict[str, set[str]] = defaultdict(set)
        self.published: Counter[tuple[str, ...]] = Counter()
        """How many events this process has published, by provider and status."""

    def record(self, counts: EventCounts) -> None:
        """Add the counts of a transaction that was committed."""
        metrics, now = self._metrics, time.time()
        metrics.publish_delay.observe_all([max(0.0, now - timestamp / 1000) for timestamp in counts.timestamps])
        for (provider, account, status, source, reason, is_correction), number in counts.events.items():
            metrics.deliveries_published.labels(provider, account, status, source).inc(number)
            self.published[provider, str(status)] += number
            if is_correction:
                metrics.corrections_published.labels(provider, account).inc(number)
            if RANKS[status] == FINAL_RANK and status is not Status.DELIVERED:
                metrics.failures_published.labels(provider, account, reason).inc(number)
        for labels, seconds in counts.latencies.items():
            metrics.delivery_latency.labels(*labels).observe_all(seconds)
        self._record_details(counts)

    def _record_details(self, counts: EventCounts) -> None:
        for (provider, network, outcome), number in counts.networks.items():
            label = self._limit_networks(provider, network)
            self._attempts.network_attempts_ended.labels(provider, label, outcome).inc(number)
        for account, prices in counts.prices.items():
            self._attempts.attempts_priced.labels(*account).inc(len(prices))
            self._attempts.price_charged.labels(*account).inc(sum(prices))

    def _limit_networks(self, provider: str, network: str) -> str:
        """Return a network's label: further ones share one."""
        known = self._networks[provider]
        if network not in known and network != UNREPORTED and len(known) >= MAX_NETWORKS:
            network = OTHER
        if network not in known:
            known.add(network)
            for outcome in OUTCOMES:  # all at once, because a share needs each, also a rare one
                self._attempts.network_attempts_ended.labels(provider, network, outcome)
        return network
