"""The same load on 1, 2 and 4 partitions, with one process each: the cost of an entry must not grow."""

from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Any
from uuid import uuid4

from bench.bridge import Bridge, create_topics, make_settings
from bench.contest import Contestant, Measured, run_contest
from bench.kafka import verify_exactly_once
from bench.progress import measure_progress
from bench.run import Run
from bench.subjects.tracker import TIMEOUT_SECONDS, Journal, make_journal

ENTRIES = 100_000
COUNTS = (1, 2, 4)


async def measure(run: Run) -> Mapping[str, Any]:
    """Measure one, two and four partitions."""
    prefix = f"bench-{uuid4().hex[:6]}"
    journals = {
        count: await make_journal(run, f"{prefix}.journal-{count}", run.scale_count(ENTRIES), count) for count in COUNTS
    }
    contestants = [
        Contestant(f"{count}", lambda _, count=count: _processes(run, journals[count], count))  # type: ignore[misc]
        for count in COUNTS
    ]
    result = await run_contest(contestants, run.rounds, run.show)
    await run.cluster.delete_topics(*(journal.topic for journal in journals.values()))
    return {
        **result.as_json(),
        "cpu_ratio": {name: result.ratio("cpu_us", name, "1") for name in result.medians},
    }


async def _processes(run: Run, source: Journal, count: int) -> Measured:
    prefix = f"bench-{uuid4().hex[:6]}"
    values = make_settings(run.cluster.bootstrap_servers, prefix, journal=source.topic, partitions=count)
    await run.cluster.create_topics(f"{prefix}.sent", partitions=1)
    await create_topics(values, run.folder / prefix, adopt=True)
    try:
        async with AsyncExitStack() as stack:
            bridges = [Bridge(values, run.folder / f"{prefix}-{number}", "track") for number in range(count)]
            for bridge in bridges:
                await stack.enter_async_context(bridge)
            measured = await measure_progress(
                run.cluster,
                [bridge.process for bridge in bridges],
                group=f"{prefix}.tracker",
                topic=source.topic,
                records=source.entries,
                timeout=TIMEOUT_SECONDS,
            )
            verify_exactly_once(await run.cluster.read_values(f"{prefix}.delivery", source.events), source.events)
    finally:
        await run.cluster.delete_topics(*await run.cluster.list_topics(f"{prefix}."))
    return measured
