"""What many followed attempts cost: the restore, a start with the cache kept, memory, disk, and every further entry."""

import asyncio
import random
import time
from collections.abc import Iterator, Mapping
from typing import Any
from uuid import uuid4

from bench.bridge import Bridge, prepare, settings
from bench.meters import folder_bytes
from bench.process import Failed, Running
from bench.progress import watched
from bench.run import Run
from bench.traffic import attempt, report
from bridge.core.attempt import Followed
from bridge.core.delivery import Status
from bridge.journal.serde import encode_entry
from bridge.kafka.partitioner import partition_for
from bridge.kafka.records import Record
from bridge.state.serde import encode_state

NUMBERS = (10_000, 100_000, 1_000_000)
LONG = (10_000, 100_000, 1_000_000, 5_000_000)
TOUCHED = 10_000
"""Attempts, drawn by chance, that get an interim and a final report once everything is restored."""

PARTITIONS = 4
WITHIN = 900.0
RESTING = 0.1
"""Share of a core that a process takes which has nothing to do, at most."""


async def measure(run: Run) -> Mapping[str, Any]:
    """Measure each number of followed attempts once, from few to many."""
    found: dict[str, Any] = {}
    for number in LONG if run.long else NUMBERS:
        count = run.scaled(number)
        try:
            found[str(count)] = await _known(run, count)
        except Failed as failure:
            found[str(count)] = {"failed": str(failure)}
        figures = ", ".join(f"{name} {value:,.4g}" for name, value in found[str(count)].items() if name != "failed")
        run.show(f"{count:,} followed: {figures or found[str(count)]['failed']}")
    measured = [one for one in found.values() if "cpu_us" in one]
    if len(measured) < 2:
        return {"followed": found}
    few, many = measured[0], measured[-1]
    return {"followed": found, "cpu_ratio": many["cpu_us"] / few["cpu_us"], "rss_most_mb": many["rss_after_mb"]}


async def _known(run: Run, count: int) -> dict[str, float]:
    prefix = f"bench-{uuid4().hex[:6]}"
    values = settings(run.cluster.bootstrap_servers, prefix, partitions=PARTITIONS)
    await run.cluster.create(f"{prefix}.sent", partitions=1)
    await prepare(values, run.folder / prefix)
    now = int(time.time() * 1000)
    topic_bytes = 0

    def states() -> Iterator[Record]:
        nonlocal topic_bytes
        for number in range(count):
            record = _state(f"{prefix}.state", number, now)
            topic_bytes += record.size
            yield record

    try:
        await run.cluster.fill(states())
        found = {"state_bytes": topic_bytes / count, **await _started(run, prefix, values, count, now)}
    finally:
        await run.cluster.delete(*await run.cluster.names(f"{prefix}."))
    return found


async def _started(run: Run, prefix: str, values: Mapping[str, str], count: int, now: int) -> dict[str, float]:
    """Start it without a cache, give it entries, and start it again with the cache."""
    cold = Bridge(values, run.folder / prefix, "track")
    async with cold:
        await cold.ready()
        began, cpu = time.monotonic(), cold.process.cpu()
        await cold.restored(WITHIN)
        seconds = time.monotonic() - began
        found = {
            "restore_s": seconds,
            "restored_per_second": count / seconds,
            "restore_cpu_us": (cold.process.cpu() - cpu) / count * 1e6,
            "rss_mb": cold.process.rss() / 1e6,
        }
        await _at_rest(cold.process)
        entries = await run.cluster.fill(_entries(f"{prefix}.journal", run.scaled(TOUCHED), count, now))
        group, journal = f"{prefix}.tracker", f"{prefix}.journal"
        measured = await watched(
            run.cluster, [cold.process], group=group, topic=journal, records=entries, within=WITHIN
        )
        found |= {"cpu_us": measured["cpu_us"], "per_second": measured["per_second"]}
        found["rss_after_mb"] = cold.process.rss() / 1e6
    found["disk_bytes"] = folder_bytes(cold.state) / count
    began = time.monotonic()
    warm = Bridge(values, run.folder / prefix, "track")
    async with warm:
        await warm.restored(WITHIN)
        found["warm_start_s"] = time.monotonic() - began
    return found


async def _at_rest(process: Running) -> None:
    """Return when there is nothing left to do: what was restored is sorted on disk for a while."""
    used, end = 1.0, time.monotonic() + WITHIN
    while used > RESTING and time.monotonic() < end:
        before = process.cpu()
        await asyncio.sleep(1)
        used = process.cpu() - before


def _state(topic: str, number: int, now: int) -> Record:
    sent = attempt(number, now)
    followed = Followed(
        sent.message_id,
        sent.sent_at,
        sent.starts_at,
        sent.gives_up_at,
        sent.recipient,
        sent.sender,
        sent.metadata,
        sent.traceparent,
    )
    key = sent.key.encode()
    return Record(topic, partition_for(key, PARTITIONS), key, encode_state(followed))


def _entries(topic: str, touched: int, count: int, now: int) -> Iterator[Record]:
    chance = random.Random(count)
    drawn = chance.sample(range(count), touched)
    for status in (Status.SENT, Status.DELIVERED):
        # Each once, in another order: whatever the number of attempts, the work is the same.
        chance.shuffle(drawn)
        for number in drawn:
            sent = attempt(number, now)
            key = sent.key.encode()
            yield Record(topic, partition_for(key, PARTITIONS), key, encode_entry(report(sent, status, now)))
