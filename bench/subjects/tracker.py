"""The tracker: journal entries folded and published exactly once. Beside it: no logic, Kafka Streams, Quix Streams.

Every contestant works through the same journal, and what it published is read and checked.
"""

import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

from bench import toolchain
from bench.bridge import Bridge, environment, prepare, settings
from bench.contest import Contestant, Measured, contest
from bench.kafka import exactly_once
from bench.process import Running
from bench.progress import watched
from bench.run import Run
from bench.traffic import Line, journal
from bridge.kafka.partitioner import partition_for
from bridge.kafka.records import Record

ENTRIES = 150_000
QUIX_ENTRIES = 30_000
"""It is slower; a shorter journal of the same kind keeps the run short."""

PARTITIONS = 4
WITHIN = 180.0


class Journal(NamedTuple):
    """A filled journal."""

    topic: str
    entries: int
    events: int
    """That come of it."""


class Round(NamedTuple):
    """What a peer is told, as its arguments; made anew for every round."""

    servers: str
    group: str
    journal: str
    delivery: str
    state: str
    folder: Path
    share: float
    """Of the entries, how many publish."""


async def filled(run: Run, topic: str, entries: int, partitions: int = PARTITIONS) -> Journal:
    """Make and fill a journal."""
    events = 0

    def record(line: Line) -> Record:
        nonlocal events
        events += line.publishes
        return Record(topic, partition_for(line.key, partitions), line.key, line.value)

    await run.cluster.create(topic, partitions=partitions, config={"message.timestamp.type": "LogAppendTime"})
    await run.cluster.fill(record(line) for line in journal(entries))
    return Journal(topic, entries, events)


async def measure(run: Run) -> Mapping[str, Any]:
    """Run the contest."""
    run.show("filling the journals")
    prefix = f"bench-{uuid4().hex[:6]}"
    full = await filled(run, f"{prefix}.journal", run.scaled(ENTRIES))
    short = await filled(run, f"{prefix}.short", run.scaled(QUIX_ENTRIES))
    contestants = (
        Contestant("sms-bridge", lambda _: _bridge(run, full)),
        Contestant("no logic", lambda _: _peer(run, full, _floor, checked=False)),
        Contestant("Kafka Streams", lambda _: _peer(run, full, _streams)),
        Contestant("Quix Streams", lambda _: _peer(run, short, _quix)),
    )
    result = await contest(contestants, run.rounds, run.show)
    await run.cluster.delete(full.topic, short.topic)
    us = "sms-bridge"
    others = [name for name in result.medians if name != us]
    return {
        **result.as_json(),
        "entries": full.entries,
        "speed_ratio": {name: result.ratio("per_second", us, name) for name in others},
        "cpu_ratio": {name: result.ratio("cpu_us", us, name) for name in others},
    }


async def worked(run: Run, process: Running, group: str, source: Journal) -> Measured:
    """Wait until a group has worked through a journal."""
    return await watched(run.cluster, [process], group=group, topic=source.topic, records=source.entries, within=WITHIN)


async def _bridge(run: Run, source: Journal) -> Measured:
    prefix = f"bench-{uuid4().hex[:6]}"
    values = settings(run.cluster.bootstrap_servers, prefix, journal=source.topic, partitions=PARTITIONS)
    await run.cluster.create(f"{prefix}.sent", partitions=1)
    await prepare(values, run.folder / prefix, adopt=True)
    try:
        async with Bridge(values, run.folder / prefix, "track") as bridge:
            measured = await worked(run, bridge.process, f"{prefix}.tracker", source)
            exactly_once(await run.cluster.values(f"{prefix}.delivery", source.events), source.events)
    finally:
        await run.cluster.delete(*await run.cluster.names(f"{prefix}."))
    return measured


Peer = Callable[[Round], Awaitable[tuple[Sequence[str], Mapping[str, str]]]]
"""A peer's command and environment."""


async def _peer(run: Run, source: Journal, peer: Peer, *, checked: bool = True) -> Measured:
    prefix = f"bench-{uuid4().hex[:6]}"
    share = source.events / source.entries
    names = (f"{prefix}.group", source.topic, f"{prefix}.delivery", f"{prefix}.state")
    told = Round(run.cluster.bootstrap_servers, *names, run.folder / prefix, share)
    command, variables = await peer(told)
    await run.cluster.create(told.delivery, told.state, partitions=PARTITIONS)
    try:
        async with Running(command, told.folder, variables) as process:
            measured = await worked(run, process, told.group, source)
            if checked:
                exactly_once(await run.cluster.values(told.delivery, source.events), source.events)
    finally:
        await run.cluster.delete(*await run.cluster.names(f"{prefix}."))
    return measured


def _arguments(told: Round) -> list[str]:
    return [str(value) for value in told]


async def _floor(told: Round) -> tuple[Sequence[str], Mapping[str, str]]:
    command = (sys.executable, "-m", "bench.peers.floor", *_arguments(told))
    return command, environment({})


async def _streams(told: Round) -> tuple[Sequence[str], Mapping[str, str]]:
    return (*await toolchain.java_program("StreamsTracker"), *_arguments(told)), {}


async def _quix(told: Round) -> tuple[Sequence[str], Mapping[str, str]]:
    return (toolchain.python(), "-m", "bench.peers.quix", *_arguments(told)), environment({})
