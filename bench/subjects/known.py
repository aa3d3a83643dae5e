"""The cost of many followed attempts: restore, start with a cache, memory, disk, and CPU per further entry."""

import asyncio
import random
import time
from collections.abc import Iterator, Mapping
from typing import Any
from uuid import uuid4

from bench.bridge import Bridge, create_topics, make_settings
from bench.meters import measure_folder_bytes
from bench.process import BenchmarkError, MeasuredProcess
from bench.progress import measure_progress
from bench.run import Run
from bench.traffic import make_attempt, make_report
from bridge.core.attempt import Followed
from bridge.core.delivery import Status
from bridge.journal.serde import encode_entry
from bridge.kafka.partitioner import partition_for
from bridge.kafka.records import Record
from bridge.state.serde import encode_state

NUMBERS = (10_000, 100_000, 1_000_000)
LONG = (10_000, 100_000, 1_000_000, 5_000_000)
REPORTED_ATTEMPTS = 10_000
"""How many random attempts get an interim and a final report after the restore."""

PARTITIONS = 4
TIMEOUT_SECONDS = 900.0
MAX_IDLE_CPU = 0.1
"""The share of a core that an idle process uses at most."""


async def measure(run: Run) -> Mapping[str, Any]:
    """Measure each number of followed attempts once, from few to many."""
    found: dict[str, Any] = {}
    for number in LONG if run.long else NUMBERS:
        count = run.scale_count(number)
        try:
            found[str(count)] = await _measure_count(run, count)
        except BenchmarkError as failure:
            found[str(count)] = {"failed": str(failure)}
        figures = ", ".join(f"{name} {value:,.4g}" for name, value in found[str(count)].items() if name != "failed")
        run.show(f"{count:,} followed: {figures or found[str(count)]['failed']}")
    measured = [one for one in found.values() if "cpu_us" in one]
    if len(measured) < 2:
        return {"followed": found}
    few, many = measured[0], measured[-1]
    return {"followed": found, "cpu_ratio": many["cpu_us"] / few["cpu_us"], "rss_most_mb": many["rss_after_mb"]}


async def _measure_count(run: Run, count: int) -> dict[str, float]:
    prefix = f"bench-{uuid4().hex[:6]}"
    values = make_settings(run.cluster.bootstrap_servers, prefix, partitions=PARTITIONS)
    await run.cluster.create_topics(f"{prefix}.sent", partitions=1)
    await create_topics(values, run.folder / prefix)
    now = int(time.time() * 1000)
    topic_bytes = 0

    def states() -> Iterator[Record]:
        nonlocal topic_bytes
        for number in range(count):
            record = _make_state(f"{prefix}.state", number, now)
            topic_bytes += record.size
            yield record

    try:
        await run.cluster.fill(states())
        found = {"state_bytes": topic_bytes / count, **await _measure(run, prefix, values, count, now)}
    finally:
        await run.cluster.delete_topics(*await run.cluster.list_topics(f"{prefix}."))
    return found


async def _measure(run: Run, prefix: str, values: Mapping[str, str], count: int, now: int) -> dict[str, float]:
    """Start a bridge without a cache, publish entries, and start it again with the cache."""
    cold = Bridge(values, run.folder / prefix, "track")
    async with cold:
        await cold.wait_until_ready()
        start, cpu = time.monotonic(), cold.process.read_cpu_seconds()
        await cold.wait_until_restored(TIMEOUT_SECONDS)
        seconds = time.monotonic() - start
        found = {
            "restore_s": seconds,
            "restored_per_second": count / seconds,
            "restore_cpu_us": (cold.process.read_cpu_seconds() - cpu) / count * 1e6,
            "rss_mb": cold.process.read_rss_bytes() / 1e6,
        }
        await _wait_until_idle(cold.process)
        entries = await run.cluster.fill(
            _make_entries(f"{prefix}.journal", run.scale_count(REPORTED_ATTEMPTS), count, now)
        )
        group, journal = f"{prefix}.tracker", f"{prefix}.journal"
        measured = await measure_progress(
            run.cluster, [cold.process], group=group, topic=journal, records=entries, timeout=TIMEOUT_SECONDS
        )
        found |= {"cpu_us": measured["cpu_us"], "per_second": measured["per_second"]}
        found["rss_after_mb"] = cold.process.read_rss_bytes() / 1e6
    found["disk_bytes"] = measure_folder_bytes(cold.state) / count
    start = time.monotonic()
    warm = Bridge(values, run.folder / prefix, "track")
    async with warm:
        await warm.wait_until_restored(TIMEOUT_SECONDS)
        found["warm_start_s"] = time.monotonic() - start
    return found


async def _wait_until_idle(process: MeasuredProcess) -> None:
    """Return when the process is idle: after a restore the database compacts for a while."""
    used, end = 1.0, time.monotonic() + TIMEOUT_SECONDS
    while used > MAX_IDLE_CPU and time.monotonic() < end:
        before = process.read_cpu_seconds()
        await asyncio.sleep(1)
        used = process.read_cpu_seconds() - before


def _make_state(topic: str, number: int, now: int) -> Record:
    sent = make_attempt(number, now)
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


def _make_entries(topic: str, attempts: int, count: int, now: int) -> Iterator[Record]:
    rng = random.Random(count)
    numbers = rng.sample(range(count), attempts)
    for status in (Status.SENT, Status.DELIVERED):
        # Each attempt once, in another order, so that the work is the same for any number of attempts.
        rng.shuffle(numbers)
        for number in numbers:
            sent = make_attempt(number, now)
            key = sent.key.encode()
            yield Record(topic, partition_for(key, PARTITIONS), key, encode_entry(make_report(sent, status, now)))
