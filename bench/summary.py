"""Makes the first part of docs/performance.md: results beside the peers', and what they mean for a company. Pure."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from bench.scaling import BUSY, FLOW_RATE, Costs, read_costs

Found = Mapping[str, Any]

DAY_SECONDS = 86_400


class Comparison(NamedTuple):
    """A line of the table: one figure of the bridge and of its peers."""

    text: str
    subject: str
    figure: str
    ours: Sequence[str]
    """Contestants of the bridge, of which the best counts."""
    peers: Mapping[str, Sequence[str]]
    """By the name in the table, contestants of which the best counts."""

    @property
    def find_best(self) -> Callable[[Sequence[float]], float]:
        """Finds the best of several figures: of a rate, more is better."""
        return max if self.figure == "per_second" else min


US = ("sms-bridge",)
US_AT_MOST = ("sms-bridge", "sms-bridge, two processes")
STREAMS = {"Kafka Streams": ("Kafka Streams",), "Quix Streams": ("Quix Streams",)}
STREAMS_AT_MOST = {
    "Kafka Streams": ("Kafka Streams", "Kafka Streams, two threads"),
    "Quix Streams": ("Quix Streams",),
}
SERVERS = {"Go": ("Go, franz-go",), "Starlette": ("Starlette",)}

COMPARISONS = (
    Comparison("tracker, CPU of an entry, µs", "tracker", "cpu_us", US, STREAMS),
    Comparison("tracker, broker's CPU of an entry, µs", "tracker", "broker_cpu_us", US, STREAMS),
    Comparison("tracker, entries a second of this machine", "tracker", "per_second", US_AT_MOST, STREAMS_AT_MOST),
    Comparison("receiver, CPU of a callback, µs", "receiver", "cpu_us", US, SERVERS),
    Comparison("receiver, callbacks a second", "receiver", "per_second", US, SERVERS),
    Comparison("receiver, p99, ms", "receiver", "p99_ms", US, SERVERS),
    Comparison("poller, polls a second", "poller", "per_second", US, {"plain httpx": ("httpx",)}),
)


def summarize(found: Found) -> Iterator[str]:
    """Yield the lines of the results beside the peers', and of what they mean."""
    lines = [line for comparison in COMPARISONS if (line := _format_comparison(found, comparison))]
    if lines:
        yield from ("## Results", "", "| | sms-bridge | beside | |", "|---|---:|---|---:|", *lines, "")
    if costs := read_costs(found):
        yield from _explain(found, costs)


def _format_comparison(found: Found, comparison: Comparison) -> str | None:
    medians = found.get(comparison.subject, {}).get("medians", {})
    ours = _find_best(medians, comparison.ours, comparison)
    if ours is None:
        return None
    peers = {name: _find_best(medians, names, comparison) for name, names in comparison.peers.items()}
    known = {name: figure for name, figure in peers.items() if figure is not None}
    names, figures = "<br>".join(known), "<br>".join(map(format_number, known.values()))
    return f"| {comparison.text} | **{format_number(ours)}** | {names} | {figures} |"


def _find_best(medians: Found, names: Sequence[str], comparison: Comparison) -> float | None:
    figures = [medians[name][comparison.figure] for name in names if comparison.figure in medians.get(name, {})]
    return comparison.find_best(figures) if figures else None


def _explain(found: Found, costs: Costs) -> Iterator[str]:
    """Say what a message costs in all roles, and how many a core delivers in a day."""
    a_day = BUSY / costs.full * 1e6 * DAY_SECONDS
    yield "**What it means.** When batches are full, a message with its callbacks and events takes"
    yield f"{costs.full:.0f} µs of one core, in all roles. This is computed from the saturated benchmarks of each role:"
    yield "one core that is busy half of the time then delivers"
    yield f"{a_day / 1e6:,.0f} million messages a day, {BUSY / costs.full * 1e6:,.0f} a second. More processes share"
    yield "the work by partitions; [scaling](scaling.md) has the resources for larger rates."
    if costs.sparse:
        yield f"At {FLOW_RATE} messages a second in one process, batches are nearly empty, and a message takes"
        yield f"{costs.sparse:,.0f} µs (see [end to end](#end-to-end)). It gets cheaper as the load grows."
    flow = found.get("end-to-end", {}).get("medians", {})
    if flow:
        fewest, most = next(iter(flow)), list(flow)[-1]
        yield f"At this rate, an event comes {flow[fewest]['p50_ms']:.0f} ms after its callback (p50; p99"
        yield f"{flow[fewest]['p99_ms']:.0f} ms) with one partition, and {flow[most]['p50_ms']:.0f} ms (p99"
        yield f"{flow[most]['p99_ms']:.0f} ms) with {most}, where broker, bridge and load share the cores."
    yield ""


def format_number(value: float) -> str:
    """Format a figure with three digits."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
