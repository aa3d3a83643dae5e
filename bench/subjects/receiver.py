"""The receiver with 64 connections, beside its listener without Kafka, a Go service and a Starlette service.

A fast Go program generates the load, each callback for another message. Callbacks that got a 200 are counted in the
journal.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any
from uuid import uuid4

import orjson

from bench import toolchain
from bench.bridge import SECRET, Bridge, make_environment, make_settings
from bench.contest import Contestant, Measured, run_contest
from bench.process import BenchmarkError, MeasuredProcess, run_to_end
from bench.progress import compute_broker_cost
from bench.run import Run
from bridge.sandbox.ports import claim_free_ports

REQUESTS, WARM_UP = 100_000, 20_000
WARM_UP_ROUNDS = 2
CONNECTIONS = 64
PARTITIONS = 4
TIMEOUT_SECONDS = 120.0
PATH = f"/dlr/dexatel/{SECRET}"

Peer = Callable[[str, str, str], Awaitable[Sequence[str]]]
"""Returns a server's command, given Kafka's servers, its topic and its address."""


async def measure(run: Run) -> Mapping[str, Any]:
    """Measure the contestants."""
    client = await toolchain.build_go_program("load")
    run.show("warming up the broker")
    for _ in range(WARM_UP_ROUNDS):  # of small requests: for each, it takes three times as long at first
        await _bridge(run, client)
    contestants = (
        Contestant("sms-bridge", lambda _: _bridge(run, client)),
        Contestant("no Kafka", lambda _: _peer(run, client, _floor, journaled=False)),
        Contestant("Go, franz-go", lambda _: _peer(run, client, _go)),
        Contestant("Starlette", lambda _: _peer(run, client, _starlette)),
    )
    result = await run_contest(contestants, run.rounds, run.show)
    us = "sms-bridge"
    others = [name for name in result.medians if name != us]
    return {
        **result.as_json(),
        "speed_ratio": {name: result.ratio("per_second", us, name) for name in others},
        "cpu_ratio": {name: result.ratio("cpu_us", us, name) for name in others},
        "p99_ratio": {name: result.ratio("p99_ms", us, name) for name in others},
    }


async def _bridge(run: Run, client: str) -> Measured:
    prefix = f"bench-{uuid4().hex[:6]}"
    values = make_settings(run.cluster.bootstrap_servers, prefix, partitions=PARTITIONS)
    await run.cluster.create_topics(f"{prefix}.sent", partitions=1)
    try:
        async with Bridge(values, run.folder / prefix, "receive") as bridge:
            await bridge.wait_until_ready()
            return await _measure_under_load(
                run, client, bridge.process, bridge.url.removeprefix("http://"), f"{prefix}.journal"
            )
    finally:
        await run.cluster.delete_topics(*await run.cluster.list_topics(f"{prefix}."))


async def _peer(run: Run, client: str, peer: Peer, *, journaled: bool = True) -> Measured:
    topic = f"bench-{uuid4().hex[:6]}.journal"
    address = f"127.0.0.1:{claim_free_ports(1)[0]}"
    command = await peer(run.cluster.bootstrap_servers, topic, address)
    await run.cluster.create_topics(topic, partitions=PARTITIONS)
    try:
        async with MeasuredProcess(command, run.folder / topic, make_environment({})) as process:
            await process.wait_until(lambda: is_listening(address), 30)
            return await _measure_under_load(run, client, process, address, topic if journaled else None)
    finally:
        await run.cluster.delete_topics(topic)


async def _measure_under_load(
    run: Run, client: str, process: MeasuredProcess, address: str, topic: str | None
) -> Measured:
    """Warm a server up, load it, and verify that acknowledged callbacks are in the journal."""
    await run_load(run, client, address, WARM_UP)
    requests = run.scale_count(REQUESTS)
    cpu, broker_cpu = process.read_cpu_seconds(), run.cluster.read_cpu_seconds()
    found = await run_load(run, client, address, requests)
    used = process.read_cpu_seconds() - cpu
    broker_cost = compute_broker_cost(broker_cpu, run.cluster.read_cpu_seconds(), requests)
    if found["other"] or found["ok"] != requests:
        raise BenchmarkError(f"{found['other']} requests did not get a 200\n{process.tail()}")
    if topic:
        count = sum((await run.cluster.fetch_end_offsets(topic)).values())
        if count != requests + WARM_UP:
            raise BenchmarkError(f"{requests + WARM_UP} callbacks were acknowledged, {count} are in the journal")
    return {
        "per_second": found["ok"] / found["seconds"],
        "cpu_us": used / requests * 1e6,
        **broker_cost,
        "p50_ms": found["p50_ms"],
        "p99_ms": found["p99_ms"],
    }


async def run_load(run: Run, client: str, address: str, requests: int) -> Mapping[str, Any]:
    """Send callbacks, and return the load client's measurements."""
    command = (client, address, PATH, str(CONNECTIONS), str(requests))
    output = await run_to_end(command, run.folder / f"load-{uuid4().hex[:6]}", {}, TIMEOUT_SECONDS)
    found: dict[str, Any] = orjson.loads(output)
    return found


async def is_listening(address: str) -> bool:
    """Return whether a server listens on the address."""
    host, _, port = address.partition(":")
    try:
        _, writer = await asyncio.open_connection(host, int(port))
    except OSError:
        return False
    writer.close()
    return True


async def _floor(servers: str, topic: str, address: str) -> Sequence[str]:
    return str(toolchain.BRIDGE_PYTHON), "-m", "bench.peers.listener", servers, topic, address


async def _go(servers: str, topic: str, address: str) -> Sequence[str]:
    return await toolchain.build_go_program("receiver"), servers, topic, address, SECRET


async def _starlette(servers: str, topic: str, address: str) -> Sequence[str]:
    return toolchain.find_python(), "-m", "bench.peers.starlette_receiver", servers, topic, address, SECRET
