"""Values that are observed together count as if each had been observed alone."""

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest

from bridge.observability.histogram import BatchHistogram

BUCKETS = (0.0625, 1, 10, float("inf"))
AMOUNTS = st.lists(st.sampled_from([0.0, 0.0625, 0.25, 1.0, 1.5, 10.0, 11.0, 1e9, -1.0]) | st.integers(0, 20))
"""Sums of them are exact, so that their order doesn't matter."""


def expose(label: str, batches: list[list[float]], *, together: bool) -> str:
    """Return what a scrape has after these batches."""
    registry = CollectorRegistry()
    histogram = BatchHistogram("seconds", "Some", ["kind"], buckets=BUCKETS, registry=registry).labels(label)
    for batch in batches:
        if together:
            histogram.observe_all(batch)
            continue
        for amount in batch:
            histogram.observe(amount)
    return "\n".join(line for line in generate_latest(registry).decode().splitlines() if "_created" not in line)


@given(st.lists(AMOUNTS))
def test_observing_all_is_observing_each(batches: list[list[float]]) -> None:
    """Also amounts on a bucket's bound, batches without any, and amounts beyond all bounds."""
    assert expose("one", batches, together=True) == expose("one", batches, together=False)
