"""Networks and prices are counted once per attempt, with a limited number of label values."""

from collections.abc import Mapping

import pytest
from prometheus_client import CollectorRegistry, Counter
from prometheus_client.samples import Sample

from bridge.core.delivery import Status
from bridge.core.entries import Entry, Report
from bridge.core.publication import Publication
from bridge.observability.metrics import Metrics
from bridge.tracker.details import OTHER, UNREPORTED, normalize_network, parse_price
from bridge.tracker.event_counts import EventCounts
from bridge.tracker.event_metrics import MAX_NETWORKS, EventMetrics
from tests.support.core.story import fold_entries, report, sent


class Counted:
    """The counters, and what moves them."""

    def __init__(self) -> None:
        metrics = Metrics(CollectorRegistry())
        self._metrics, self._events = metrics.attempts, EventMetrics(metrics.tracker, metrics.attempts)

    def record(self, *entries: Entry) -> None:
        """Commit a batch in which these entries are an attempt's whole story."""
        counts = EventCounts()
        counts.add(Publication(one, 0, None) for one in fold_entries([sent(), *entries]).deliveries)
        self._events.record(counts)

    def networks(self) -> Mapping[tuple[str, str], float]:
        """Return how many attempts ended, by network and outcome, without those that are 0."""
        totals = list_totals(self._metrics.network_attempts_ended)
        return {(one.labels["network"], one.labels["outcome"]): one.value for one in totals if one.value}

    def prices(self) -> tuple[list[float], list[float]]:
        """Return how many attempts had a price, and the sums of prices, by account."""
        counts, sums = list_totals(self._metrics.attempts_priced), list_totals(self._metrics.price_charged)
        return [one.value for one in counts], [one.value for one in sums]


def list_totals(counter: Counter) -> list[Sample]:
    """List a counter's samples, without the times of their creation."""
    return [one for metric in counter.collect() for one in metric.samples if one.name.endswith("_total")]


def final(status: Status = Status.DELIVERED, **details: str) -> Report:
    """Return a report with these details."""
    return report(status, provider_details=details)


def test_final_event_tells_network_and_price() -> None:
    """Interim events don't count, nor do corrections."""
    counted = Counted()
    counted.record(
        final(Status.SENT, mccmnc="26201", price="0.01"),
        final(Status.UNDELIVERED, mccmnc="26201", price="0.02"),
        final(Status.DELIVERED, mccmnc="26202", price="0.04"),
    )
    assert counted.networks() == {("26201", "not_delivered"): 1}
    assert counted.prices() == ([1], [0.02])


def test_missing_details_are_told_apart_from_nothing() -> None:
    """A message without a network counts as such; without a price it isn't in the sum, and not free."""
    counted = Counted()
    counted.record(final())
    counted.record(final(network_id="17", price="0.5"))
    assert counted.networks() == {(UNREPORTED, "delivered"): 1, ("17", "delivered"): 1}
    assert counted.prices() == ([1], [0.5])


def test_number_of_networks_is_limited() -> None:
    """However many a provider reports: the first keep their names."""
    counted = Counted()
    for number in range(MAX_NETWORKS + 50):
        counted.record(final(mccmnc=f"{26200 + number}"))
    counted.record(final(mccmnc="26200"))
    networks = counted.networks()
    assert len(networks) == MAX_NETWORKS + 1
    assert networks[OTHER, "delivered"] == 50
    assert networks["26200", "delivered"] == 2


@pytest.mark.parametrize(
    ("text", "network"),
    [
        ("26201", "26201"),
        ("262-01", "26201"),
        ("262 / 01", "26201"),
        ("Vodafone_DE", "Vodafone_DE"),
        ("", UNREPORTED),
        (None, UNREPORTED),
        (" - ", UNREPORTED),
        ("x" * 25, OTHER),
        ("Ünïcode", OTHER),
        ('"} 1\n', OTHER),
    ],
)
def test_network_has_one_name(text: str | None, network: str) -> None:
    """Separators don't matter; what can't be a name is no label."""
    assert normalize_network(text) == network


@pytest.mark.parametrize(
    ("text", "price"),
    [
        ("0.0125", 0.0125),
        ("0,0125", 0.0125),
        ("-0.00750", 0.0075),
        ("EUR 0.05", 0.05),
        ("$0.05", 0.05),
        ("0.05 USD", 0.05),
        ("12", 12.0),
        ("", None),
        (None, None),
        ("free", None),
        ("nan", None),
        ("inf", None),
        ("1e9", None),
        ("1,234.50", None),
        ("1" * 30, None),
        ("0.05 0.06", None),
    ],
)
def test_price_is_read_or_left_out(text: str | None, price: float | None) -> None:
    """What isn't clearly one price isn't counted."""
    assert parse_price(text) == price
