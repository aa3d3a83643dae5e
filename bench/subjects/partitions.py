"""The same load on 1, 2 and 4 partitions, with one process each: the cost of an entry must not grow."""

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from bench.contest import Contestant, run_contest
from bench.run import Run
from bench.subjects.tracker import make_journal, measure_bridges

ENTRIES = 100_000
COUNTS = (1, 2, 4)


async def measure(run: Run) -> Mapping[str, Any]:
    """Measure one, two and four partitions."""
    prefix = f"bench-{uuid4().hex[:6]}"
    journals = {
        count: await make_journal(run, f"{prefix}.journal-{count}", run.scale_count(ENTRIES), count) for count in COUNTS
    }
    contestants = [
        Contestant(f"{count}", lambda _, count=count: measure_bridges(run, journals[count], count, count))  # type: ignore[misc]
        for count in COUNTS
    ]
    result = await run_contest(contestants, run.rounds, run.show)
    await run.cluster.delete_topics(*(journal.topic for journal in journals.values()))
    return {
        **result.as_json(),
        "cpu_ratio": {name: result.ratio("cpu_us", name, "1") for name in result.medians},
    }
