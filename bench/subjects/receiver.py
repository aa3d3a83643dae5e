"""The receiver: callbacks durably acknowledged, 64 connections. Beside it: no Kafka, a Go service, a Starlette one.

The load is a Go program of its own: it is quick, so that the server is what is measured, and each callback is about
another message. What was answered with 200 is counted in the journal.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any
from uuid import uuid4

import orjson

from bench import toolchain
from bench.bridge import SECRET, Bridge, environment, settings
from bench.contest import Contestant, Measured, contest
from bench.process import Failed, Running, finished
from bench.run import Run
from bridge.sandbox.kafka.broker import find_free_ports

REQUESTS, WARM_UP = 20_000, 2_000
CONNECTIONS = 64
PARTITIONS = 4
WITHIN = 120.0
PATH = f"/dlr/dexatel/{SECRET}"

Peer = Callable[[str, str, str], Awaitable[Sequence[str]]]
"""A server's command, given Kafka, its topic and its address."""


async def measure(run: Run) -> Mapping[str, Any]:
    """Run the contest."""
    client = await toolchain.go_program("load")
    contestants = (
        Contestant("sms-bridge", lambda _: _bridge(run, client)),
        Contestant("no Kafka", lambda _: _peer(run, client, _floor, journaled=False)),
        Contestant("Go, franz-go", lambda _: _peer(run, client, _go)),
        Contestant("Starlette", lambda _: _peer(run, client, _starlette)),
    )
    result = await contest(contestants, run.rounds, run.show)
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
    values = settings(run.cluster.bootstrap_servers, prefix, partitions=PARTITIONS)
    await run.cluster.create(f"{prefix}.sent", partitions=1)
    try:
        async with Bridge(values, run.folder / prefix, "receive") as bridge:
            await bridge.ready()
            return await _loaded(run, client, bridge.process, bridge.url.removeprefix("http://"), f"{prefix}.journal")
    finally:
        await run.cluster.delete(*await run.cluster.names(f"{prefix}."))


async def _peer(run: Run, client: str, peer: Peer, *, journaled: bool = True) -> Measured:
    topic = f"bench-{uuid4().hex[:6]}.journal"
    address = f"127.0.0.1:{find_free_ports(1)[0]}"
    command = await peer(run.cluster.bootstrap_servers, topic, address)
    await run.cluster.create(topic, partitions=PARTITIONS)
    try:
        async with Running(command, run.folder / topic, environment({})) as process:
            await process.until(lambda: listens(address), 30)
            return await _loaded(run, client, process, address, topic if journaled else None)
    finally:
        await run.cluster.delete(topic)


async def _loaded(run: Run, client: str, process: Running, address: str, topic: str | None) -> Measured:
    """Warm a server up, then load it, and see that what it answered is in the journal."""
    await load(run, client, address, WARM_UP)
    cpu, requests = process.cpu(), run.scaled(REQUESTS)
    found = await load(run, client, address, requests)
    used = process.cpu() - cpu
    if found["other"] or found["ok"] != requests:
        raise Failed(f"{found['other']} requests were not answered with 200\n{process.tail()}")
    if topic:
        there = sum((await run.cluster.ends(topic)).values())
        if there != requests + WARM_UP:
            raise Failed(f"{requests + WARM_UP} callbacks were acknowledged, {there} are in the journal")
    return {
        "per_second": found["ok"] / found["seconds"],
        "cpu_us": used / requests * 1e6,
        "p50_ms": found["p50_ms"],
        "p99_ms": found["p99_ms"],
    }


async def load(run: Run, client: str, address: str, requests: int) -> Mapping[str, Any]:
    """Send so many callbacks; what the load client found."""
    command = (client, address, PATH, str(CONNECTIONS), str(requests))
    output = await finished(command, run.folder / f"load-{uuid4().hex[:6]}", {}, WITHIN)
    found: dict[str, Any] = orjson.loads(output)
    return found


async def listens(address: str) -> bool:
    """Whether somebody answers there."""
    host, _, port = address.partition(":")
    try:
        _, writer = await asyncio.open_connection(host, int(port))
    except OSError:
        return False
    writer.close()
    return True


async def _floor(servers: str, topic: str, address: str) -> Sequence[str]:
    return sys.executable, "-m", "bench.peers.listener", servers, topic, address


async def _go(servers: str, topic: str, address: str) -> Sequence[str]:
    return await toolchain.go_program("receiver"), servers, topic, address, SECRET


async def _starlette(servers: str, topic: str, address: str) -> Sequence[str]:
    return toolchain.python(), "-m", "bench.peers.starlette_receiver", servers, topic, address, SECRET
