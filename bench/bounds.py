"""What bounds what is missed: the text, with the figures that the same run found."""

from collections.abc import Iterator, Mapping
from typing import Any

US = "sms-bridge"


def bounds(found: Mapping[str, Any]) -> Iterator[str]:
    """The section, as far as there are figures for it."""
    parts = [text for part in (_tracker, _receiver, _intake, _end_to_end, _known) if (text := part(found))]
    if parts:
        yield from ("## What bounds what is missed", "")
        for text in parts:
            yield from (text, "")


def _us(found: Mapping[str, Any], subject: str, name: str = US) -> float:
    figure: float = found[subject]["medians"][name]["cpu_us"]
    return figure


def _tracker(found: Mapping[str, Any]) -> str:
    try:
        ours, floor = _us(found, "tracker"), _us(found, "tracker", "no logic")
    except KeyError:
        return ""
    return f"""**The tracker: the interpreter.**
Of {ours:.0f} µs an entry, {floor:.0f} are what the client takes to move as much with no logic. The rest has no summit
to take away, as the flame graph shows: JSON in and out, look-ups and writes in RocksDB, some forty Python calls, each
of them a fraction of a microsecond. What was tried without a gain above the noise: no garbage collection at all, other
block sizes, compressions and indexes of the cache, the partitioner's hash on many words at once."""


def _receiver(found: Mapping[str, Any]) -> str:
    try:
        ours, floor = _us(found, "receiver"), _us(found, "receiver", "no Kafka")
    except KeyError:
        return ""
    return f"""**The receiver: one core, and Python for each callback.**
Of {ours:.0f} µs, {floor:.0f} are the HTTP listener's; about half is reading, deciding and writing one callback, the
rest the client's batches. Go does all of it compiled, on both cores. Replicas are how it grows: they share nothing."""


def _intake(found: Mapping[str, Any]) -> str:
    try:
        ours = _us(found, "intake")
    except KeyError:
        return ""
    return f"""**The intake: Python for each event.**
Of {ours:.0f} µs, about 12 are reading, validating and writing an event while nothing else uses the processor's cache, 3
of them the hash that Java's partitioner wants; the rest is the client, and a broker beside it."""


def _end_to_end(found: Mapping[str, Any]) -> str:
    flow = found.get("end-to-end", {})
    if "transaction_ms" not in flow:
        return ""
    return f"""**End to end: the requests of a transaction.**
A callback is answered, so in the journal, after {flow["callback_ms"]:.0f} ms. It waits for the transaction under way,
then for its own: {flow["transaction_ms"]:.0f} ms each, for {flow["transaction_entries"]:.0f} entries. A transaction is
four requests one after the other (partitions, offsets' group, offsets, end), for each partition on its own, beside a
broker, a load client and a reader on the same two cores. The broker's newer protocol (KIP-890) needs fewer; the client
library doesn't speak it yet."""


def _known(found: Mapping[str, Any]) -> str:
    numbers = [one for one in found.get("known", {}).get("followed", {}).values() if "cpu_us" in one]
    if not numbers:
        return ""
    few, many = numbers[0], numbers[-1]
    return f"""**Many attempts: what isn't in memory.**
The entries here are about attempts drawn by chance from all of them. A few fit into the 40 MB for blocks and buffers;
of many, each look-up reads and unpacks a block: {few["cpu_us"]:.0f} and {many["cpu_us"]:.0f} µs an entry. In practice
reports are about what was sent lately. A restore takes {many["restore_cpu_us"]:.0f} µs a state: read, look up, unpack,
index, write."""
