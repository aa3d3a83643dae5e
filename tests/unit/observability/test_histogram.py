"""Values that are observed together count as the library counts each of them alone."""

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram, generate_latest

from bridge.observability.histogram import MAX_UNCOUNTED, BatchHistogram

BUCKETS = (0.0625, 1, 10, float("inf"))
AMOUNTS = st.lists(st.sampled_from([0.0, 0.0625, 0.25, 1.0, 1.5, 10.0, 11.0, 1e9, -1.0]) | st.integers(0, 20))
"""Sums of them are exact, so that their order doesn't matter."""


class Observed:
    """A histogram and what a scrape has of it.

    Args:
        kind: The histogram's class.
    """

    def __init__(self, kind: type[Histogram]) -> None:
        self._registry = CollectorRegistry()
        self.histogram = kind("seconds", "Some", ["kind"], buckets=BUCKETS, registry=self._registry).labels("one")

    def scrape(self) -> str:
        """Return all samples."""
        text = generate_latest(self._registry).decode()
        return "\n".join(line for line in text.splitlines() if "_created" not in line)


@given(st.lists(AMOUNTS))
def test_observing_all_is_observing_each(batches: list[list[float]]) -> None:
    """Also amounts on a bucket's bound, batches without any, amounts beyond all bounds, and scrapes in between."""
    ours, alone, theirs = Observed(BatchHistogram), Observed(BatchHistogram), Observed(Histogram)
    for batch in batches:
        ours.histogram.observe_all(batch)  # type: ignore[attr-defined]
        for amount in batch:
            alone.histogram.observe(amount)
            theirs.histogram.observe(amount)
        assert ours.scrape() == alone.scrape() == theirs.scrape()


def test_values_do_not_pile_up() -> None:
    """A histogram that nobody reads keeps few values."""
    ours = Observed(BatchHistogram)
    for _ in range(10 * MAX_UNCOUNTED + 1):
        ours.histogram.observe(1.0)
    assert len(ours.histogram._uncounted) == 1  # type: ignore[attr-defined]  # noqa: SLF001
    assert f'seconds_count{{kind="one"}} {10 * MAX_UNCOUNTED + 1}.0' in ours.scrape()
