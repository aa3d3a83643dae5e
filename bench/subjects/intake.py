"""The intake: copies sent events into the journal with a new key."""

from collections.abc import Iterator, Mapping
from typing import Any
from uuid import uuid4

import orjson

from bench.bridge import Bridge, make_settings
from bench.contest import Contestant, Measured, run_contest
from bench.process import BenchmarkError
from bench.progress import measure_progress
from bench.run import Run
from bench.traffic import make_sent_event
from bridge.kafka.records import Record

EVENTS = 100_000
PARTITIONS = 3
TIMEOUT_SECONDS = 120.0


async def measure(run: Run) -> Mapping[str, Any]:
    """Measure the intake several times with the same events."""
    topic, events = f"bench-{uuid4().hex[:6]}.sent", run.scale_count(EVENTS)

    def records() -> Iterator[Record]:
        for number in range(events):
            event = make_sent_event(number)
            yield Record(topic, number % PARTITIONS, event["message_id"].encode(), orjson.dumps(event))

    await run.cluster.create_topics(topic, partitions=PARTITIONS)
    await run.cluster.fill(records())
    try:
        result = await run_contest(
            [Contestant("sms-bridge", lambda _: _bridge(run, topic, events))], run.rounds, run.show
        )
    finally:
        await run.cluster.delete_topics(topic)
    return {**result.as_json(), "events": events}


async def _bridge(run: Run, topic: str, events: int) -> Measured:
    prefix = f"bench-{uuid4().hex[:6]}"
    values = make_settings(run.cluster.bootstrap_servers, prefix, partitions=4)
    values |= {"TOPICS__SENT": topic, "SENT__START": "earliest"}
    try:
        async with Bridge(values, run.folder / prefix, "intake") as bridge:
            group = f"{prefix}.intake"
            measured = await measure_progress(
                run.cluster, [bridge.process], group=group, topic=topic, records=events, timeout=TIMEOUT_SECONDS
            )

            async def is_complete() -> bool:
                return await run.cluster.count_committed(group, topic) >= events

            await bridge.process.wait_until(is_complete, TIMEOUT_SECONDS)
            count = sum((await run.cluster.fetch_end_offsets(f"{prefix}.journal")).values())
            if count != events:
                raise BenchmarkError(f"{count} of {events} sent events are in the journal")
    finally:
        await run.cluster.delete_topics(*await run.cluster.list_topics(f"{prefix}."))
    return measured
