"""The intake: `sms.sent` re-keyed into the journal."""

from collections.abc import Iterator, Mapping
from typing import Any
from uuid import uuid4

import orjson

from bench.bridge import Bridge, settings
from bench.contest import Contestant, Measured, contest
from bench.process import Failed
from bench.progress import watched
from bench.run import Run
from bench.traffic import sent_event
from bridge.kafka.records import Record

EVENTS = 100_000
PARTITIONS = 3
WITHIN = 120.0


async def measure(run: Run) -> Mapping[str, Any]:
    """Run it, again and again over the same events."""
    topic, events = f"bench-{uuid4().hex[:6]}.sent", run.scaled(EVENTS)

    def records() -> Iterator[Record]:
        for number in range(events):
            event = sent_event(number)
            yield Record(topic, number % PARTITIONS, event["message_id"].encode(), orjson.dumps(event))

    await run.cluster.create(topic, partitions=PARTITIONS)
    await run.cluster.fill(records())
    try:
        result = await contest([Contestant("sms-bridge", lambda _: _bridge(run, topic, events))], run.rounds, run.show)
    finally:
        await run.cluster.delete(topic)
    return {**result.as_json(), "events": events}


async def _bridge(run: Run, topic: str, events: int) -> Measured:
    prefix = f"bench-{uuid4().hex[:6]}"
    values = settings(run.cluster.bootstrap_servers, prefix, partitions=4)
    values |= {"TOPICS__SENT": topic, "SENT__START": "earliest"}
    try:
        async with Bridge(values, run.folder / prefix, "intake") as bridge:
            group = f"{prefix}.intake"
            measured = await watched(
                run.cluster, [bridge.process], group=group, topic=topic, records=events, within=WITHIN
            )

            async def all_there() -> bool:
                return await run.cluster.committed(group, topic) >= events

            await bridge.process.until(all_there, WITHIN)
            there = sum((await run.cluster.ends(f"{prefix}.journal")).values())
            if there != events:
                raise Failed(f"{there} of {events} sent events are in the journal")
    finally:
        await run.cluster.delete(*await run.cluster.names(f"{prefix}."))
    return measured
