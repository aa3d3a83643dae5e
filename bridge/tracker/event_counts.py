"""Counts a transaction's events for the metrics, as they are made: the events themselves aren't kept. Pure."""

from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable

from bridge.core.delivery import Outcome, Reason, Source, Status
from bridge.core.publication import Publication
from bridge.tracker.details import normalize_network, parse_price

EventLabels = tuple[str, str, Status, Source, Reason, bool]
"""What metrics tell apart: provider, account, status, source, reason, and whether the event is a correction."""


class EventCounts:
    """What the metrics need of a transaction's events."""

    def __init__(self) -> None:
        self.timestamps = array("q")
        """The events' timestamps."""
        self.events: Counter[EventLabels] = Counter()
        self.latencies: defaultdict[tuple[str, str, Status], array[float]] = defaultdict(lambda: array("d"))
        """Seconds from sent to final, by provider, account and status."""
        self.networks: Counter[tuple[str, str, Outcome]] = Counter()
        """Attempts that have ended, by provider, network and outcome."""
        self.prices: defaultdict[tuple[str, str], array[float]] = defaultdict(lambda: array("d"))
        """The prices of attempts that have ended, by provider and account."""

    def add(self, publications: Iterable[Publication]) -> None:
        """Count events. What a correction tells beside its status was told before."""
        for publication in publications:
            event = publication.delivery
            provider, account, status = event.provider, event.account, event.status
            is_correction = event.corrects is not None
            self.timestamps.append(publication.timestamp)
            self.events[provider, account, status, event.source, event.reason, is_correction] += 1
            if not event.final:
                continue
            if event.latency_seconds is not None:
                self.latencies[provider, account, status].append(event.latency_seconds)
            if not is_correction:
                details = event.provider_details
                network = normalize_network(details.get("mccmnc") or details.get("network_id"))
                self.networks[provider, network, event.outcome] += 1
                price = parse_price(details.get("price"))
                if price is not None:
                    self.prices[provider, account].append(price)
