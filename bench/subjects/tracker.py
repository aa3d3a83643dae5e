"""The tracker, which folds and publishes exactly once, beside no logic, Kafka Streams and Quix Streams.

Every contestant works through the same journal, and its published events are verified.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

from bench import toolchain
from bench.bridge import Bridge, create_topics, make_environment, make_settings
from bench.contest import Contestant, Measured, Result, run_contest
from bench.kafka import verify_exactly_once
from bench.process import MeasuredProcess
from bench.progress import measure_progress
from bench.run import Run
from bench.traffic import Line, generate_journal
from bridge.kafka.partitioner import partition_for
from bridge.kafka.records import Record

ENTRIES = 600_000
"""Half a minute's work, after its first fifth as a warm-up."""

QUIX_ENTRIES = 120_000
"""Fewer, because Quix Streams is slower."""

WARM_UP_ENTRIES, WARM_UP_ROUNDS = 200_000, 2

PARTITIONS = 4
TIMEOUT_SECONDS = 300.0


class Journal(NamedTuple):
    """A journal to work through."""

    topic: str
    entries: int
    events: int
    """How many events its entries give."""


class PeerArguments(NamedTuple):
    """The arguments of a peer in one round."""

    servers: str
    group: str
    journal: str
    delivery: str
    state: str
    folder: Path
    share: float
    """The share of entries that publish an event."""


async def make_journal(run: Run, topic: str, entries: int, partitions: int = PARTITIONS) -> Journal:
    """Create and fill a journal."""
    events = 0

    def record(line: Line) -> Record:
        nonlocal events
        events += line.publishes
        return Record(topic, partition_for(line.key, partitions), line.key, line.value)

    await run.cluster.create_topics(topic, partitions=partitions, config={"message.timestamp.type": "LogAppendTime"})
    await run.cluster.fill(record(line) for line in generate_journal(entries))
    return Journal(topic, entries, events)


async def warm_up(run: Run) -> None:
    """Work through a journal, so that the broker's code is optimised before anything is measured."""
    run.show("warming up the broker")
    source = await make_journal(run, f"bench-{uuid4().hex[:6]}.warm-up", WARM_UP_ENTRIES)
    for _ in range(WARM_UP_ROUNDS):
        await measure_bridges(run, source, 1)
    await run.cluster.delete_topics(source.topic)


async def measure(run: Run) -> Mapping[str, Any]:
    """Measure the contestants."""
    run.show("filling the journals")
    prefix = f"bench-{uuid4().hex[:6]}"
    full = await make_journal(run, f"{prefix}.journal", run.scale_count(ENTRIES))
    short = await make_journal(run, f"{prefix}.short", run.scale_count(QUIX_ENTRIES))
    contestants = (
        Contestant("sms-bridge", lambda _: measure_bridges(run, full, 1)),
        Contestant("sms-bridge, two processes", lambda _: measure_bridges(run, full, 2)),
        Contestant("no logic", lambda _: _peer(run, full, _floor, checked=False)),
        Contestant("Kafka Streams", lambda _: _peer(run, full, partial(_streams, threads=1))),
        Contestant("Kafka Streams, two threads", lambda _: _peer(run, full, partial(_streams, threads=2))),
        Contestant("Quix Streams", lambda _: _peer(run, short, _quix)),
    )
    result = await run_contest(contestants, run.rounds, run.show)
    await run.cluster.delete_topics(full.topic, short.topic)
    us = "sms-bridge"
    others = [name for name in result.medians if name != us]
    return {
        **result.as_json(),
        "entries": full.entries,
        "speed_ratio": {name: result.ratio("per_second", us, name) for name in others},
        "cpu_ratio": {name: result.ratio("cpu_us", us, name) for name in others},
        "broker_cpu_ratio": {name: result.ratio("broker_cpu_us", us, name) for name in others},
        "machine_ratio": {peer: _compare_best(result, peer) for peer in ("Kafka Streams", "Quix Streams")},
    }


async def measure_group(run: Run, processes: Sequence[MeasuredProcess], group: str, source: Journal) -> Measured:
    """Measure how fast a group's processes work through a journal."""
    return await measure_progress(
        run.cluster, processes, group=group, topic=source.topic, records=source.entries, timeout=TIMEOUT_SECONDS
    )


async def measure_bridges(run: Run, source: Journal, processes: int, partitions: int = PARTITIONS) -> Measured:
    """Measure bridges that share the partitions of a journal, and verify what they publish."""
    prefix = f"bench-{uuid4().hex[:6]}"
    values = make_settings(run.cluster.bootstrap_servers, prefix, journal=source.topic, partitions=partitions)
    await run.cluster.create_topics(f"{prefix}.sent", partitions=1)
    await create_topics(values, run.folder / prefix, adopt=True)
    try:
        async with AsyncExitStack() as stack:
            bridges = [Bridge(values, run.folder / f"{prefix}-{number}", "track") for number in range(processes)]
            for bridge in bridges:
                await stack.enter_async_context(bridge)
            measured = await measure_group(run, [one.process for one in bridges], f"{prefix}.tracker", source)
            verify_exactly_once(await run.cluster.read_values(f"{prefix}.delivery", source.events), source.events)
    finally:
        await run.cluster.delete_topics(*await run.cluster.list_topics(f"{prefix}."))
    return measured


def _compare_best(result: Result, peer: str) -> float | None:
    """Compare what the machine does at most: the most entries a second, with one process or thread or with two."""

    def find_most(name: str) -> float:
        return max((one["per_second"] for key, one in result.medians.items() if key.startswith(name)), default=0.0)

    return find_most("sms-bridge") / find_most(peer) if find_most(peer) else None


Peer = Callable[[PeerArguments], Awaitable[tuple[Sequence[str], Mapping[str, str]]]]
"""Returns a peer's command and environment."""


async def _peer(run: Run, source: Journal, peer: Peer, *, checked: bool = True) -> Measured:
    prefix = f"bench-{uuid4().hex[:6]}"
    share = source.events / source.entries
    names = (f"{prefix}.group", source.topic, f"{prefix}.delivery", f"{prefix}.state")
    arguments = PeerArguments(run.cluster.bootstrap_servers, *names, run.folder / prefix, share)
    command, variables = await peer(arguments)
    await run.cluster.create_topics(arguments.delivery, arguments.state, partitions=PARTITIONS)
    try:
        async with MeasuredProcess(command, arguments.folder, variables) as process:
            measured = await measure_group(run, [process], arguments.group, source)
            if checked:
                verify_exactly_once(await run.cluster.read_values(arguments.delivery, source.events), source.events)
    finally:
        await run.cluster.delete_topics(*await run.cluster.list_topics(f"{prefix}."))
    return measured


def _arguments(arguments: PeerArguments) -> list[str]:
    return [str(value) for value in arguments]


async def _floor(arguments: PeerArguments) -> tuple[Sequence[str], Mapping[str, str]]:
    command = (str(toolchain.BRIDGE_PYTHON), "-m", "bench.peers.floor", *_arguments(arguments))
    return command, make_environment({})


async def _streams(arguments: PeerArguments, threads: int) -> tuple[Sequence[str], Mapping[str, str]]:
    return (*await toolchain.build_java_program("StreamsTracker"), *_arguments(arguments), str(threads)), {}


async def _quix(arguments: PeerArguments) -> tuple[Sequence[str], Mapping[str, str]]:
    return (toolchain.find_python(), "-m", "bench.peers.quix", *_arguments(arguments)), make_environment({})
