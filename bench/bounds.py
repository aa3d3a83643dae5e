"""Explains goals that are not reached with the figures of the same run."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from bench.targets import TARGETS
from bridge.state.store import CACHE_BYTES

Found = Mapping[str, Any]


def explain_missed_targets(found: Found) -> Iterator[str]:
    """Yield the section's lines; none if all targets are met."""
    missed = {
        target.path[0]
        for target in TARGETS
        if (figure := target.read_figure(found)) is not None and not target.is_met(figure)
    }
    texts = [text for subject, say in _SAID.items() if subject in missed and (text := say(found))]
    if texts:
        yield from ("### Why some are not reached", "")
        for text in texts:
            yield from (text, "")


def _us(found: Found, subject: str, name: str = "sms-bridge") -> float | None:
    figure: float | None = found[subject]["medians"].get(name, {}).get("cpu_us")
    return figure


def _tracker(found: Found) -> str:
    ours, floor = _us(found, "tracker"), _us(found, "tracker", "no logic")
    if not ours or not floor:
        return ""
    return f"""**The tracker: the interpreter.**
Of {ours:.0f} µs per entry, the client takes {floor:.0f} to move the same data without any logic. The other
{ours - floor:.0f} are spread over JSON, decisions, RocksDB and metrics, as the profile below shows. A process uses one
core. [Decision 6](decisions/0006-speed.md) lists what was tried."""


def _receiver(found: Found) -> str:
    ours, floor = _us(found, "receiver"), _us(found, "receiver", "no Kafka")
    if not ours or not floor:
        return ""
    return f"""**The receiver: Python for each callback, on one core.**
Of {ours:.0f} µs, the HTTP listener takes {floor:.0f}. The other {ours - floor:.0f} go into parsing a callback,
deciding, encoding it, and the client's batches. Receivers share nothing, so throughput grows with replicas."""


def _intake(found: Found) -> str:
    ours = _us(found, "intake")
    if not ours:
        return ""
    return f"""**The intake: Python for each event.**
{ours:.0f} µs go into fetching, parsing, validating and writing an event. This includes the hash of Java's
partitioner."""


def _end_to_end(found: Found) -> str:
    flow = found["end-to-end"]["medians"].get("1")
    if not flow:
        return ""
    return f"""**End to end: the requests of a transaction.**
A callback is in the journal, and answered, after {flow["callback_ms"]:.0f} ms. It waits for the transaction in
progress, then for its own: {flow["transaction_ms"]:.0f} ms each, for {flow["transaction_entries"]:.0f} entries. A
transaction consists of five consecutive requests (partitions, batches, offsets' group, offsets, end), separately for
each partition of the journal. The broker's newer protocol (KIP-890) needs fewer, but the client library does not
support it yet."""


def _known(found: Found) -> str:
    numbers = [one for one in found["known"]["followed"].values() if "cpu_us" in one]
    if len(numbers) < 2:
        return ""
    few, many = numbers[0], numbers[-1]
    return f"""**Many attempts: reads from disk.**
The entries refer to random attempts. Few attempts fit into the {CACHE_BYTES >> 20} MB of the block cache; with many,
each look-up reads and decompresses blocks: {few["cpu_us"]:.0f} and {many["cpu_us"]:.0f} µs per entry. In practice,
most reports refer to recent messages. A restore takes {many["restore_cpu_us"]:.0f} µs per state: read, look up,
decompress, index, write."""


_SAID: Mapping[str, Callable[[Found], str]] = {
    "tracker": _tracker,
    "receiver": _receiver,
    "intake": _intake,
    "end-to-end": _end_to_end,
    "known": _known,
}
