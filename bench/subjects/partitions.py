"""The same load on 1, 2 and 4 partitions, a tracker's process for each: what an entry costs must not grow."""

from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Any
from uuid import uuid4

from bench.bridge import Bridge, prepare, settings
from bench.contest import Contestant, Measured, contest
from bench.kafka import exactly_once
from bench.progress import watched
from bench.run import Run
from bench.subjects.tracker import WITHIN, Journal, filled

ENTRIES = 100_000
COUNTS = (1, 2, 4)


async def measure(run: Run) -> Mapping[str, Any]:
    """Run one, two and four."""
    prefix = f"bench-{uuid4().hex[:6]}"
    journals = {count: await filled(run, f"{prefix}.journal-{count}", run.scaled(ENTRIES), count) for count in COUNTS}
    contestants = [
        Contestant(f"{count}", lambda _, count=count: _processes(run, journals[count], count))  # type: ignore[misc]
        for count in COUNTS
    ]
    result = await contest(contestants, run.rounds, run.show)
    await run.cluster.delete(*(journal.topic for journal in journals.values()))
    return {
        **result.as_json(),
        "cpu_ratio": {name: result.ratio("cpu_us", name, "1") for name in result.medians},
    }


async def _processes(run: Run, source: Journal, count: int) -> Measured:
    prefix = f"bench-{uuid4().hex[:6]}"
    values = settings(run.cluster.bootstrap_servers, prefix, journal=source.topic, partitions=count)
    await run.cluster.create(f"{prefix}.sent", partitions=1)
    await prepare(values, run.folder / prefix, adopt=True)
    try:
        async with AsyncExitStack() as stack:
            bridges = [Bridge(values, run.folder / f"{prefix}-{number}", "track") for number in range(count)]
            for bridge in bridges:
                await stack.enter_async_context(bridge)
            measured = await watched(
                run.cluster,
                [bridge.process for bridge in bridges],
                group=f"{prefix}.tracker",
                topic=source.topic,
                records=source.entries,
                within=WITHIN,
            )
            exactly_once(await run.cluster.values(f"{prefix}.delivery", source.events), source.events)
    finally:
        await run.cluster.delete(*await run.cluster.names(f"{prefix}."))
    return measured
