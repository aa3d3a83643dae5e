"""The poller, 64 connections, against the simulated provider; beside it plain httpx, asking the same questions."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

from msgspec.structs import replace

from bench.bridge import COMMAND, Bridge, environment, prepare, settings
from bench.contest import Contestant, Measured, contest
from bench.process import Failed, Running, finished
from bench.run import Run
from bench.subjects.receiver import listens
from bench.traffic import attempt
from bridge.journal.serde import encode_entry
from bridge.kafka.partitioner import partition_for
from bridge.kafka.records import Record
from bridge.sandbox.kafka.broker import find_free_ports
from bridge.sandbox.simulator.options import TOKEN

POLLS = 10_000
CONNECTIONS = 64
PARTITIONS = 4
WITHIN = 120.0
FIRST, LAST = 0.2, 0.9
"""Shares of the polls between which is measured."""


async def measure(run: Run) -> Mapping[str, Any]:
    """Run the contest."""
    contestants = (
        Contestant("sms-bridge", lambda _: _bridge(run)),
        Contestant("httpx", lambda _: _httpx(run)),
    )
    result = await contest(contestants, min(run.rounds, 3), run.show)
    return {
        **result.as_json(),
        "speed_ratio": {"httpx": result.ratio("per_second", "sms-bridge", "httpx")},
        "cpu_ratio": {"httpx": result.ratio("cpu_us", "sms-bridge", "httpx")},
    }


@asynccontextmanager
async def _provider(run: Run) -> AsyncIterator[str]:
    port = find_free_ports(1)[0]
    command = (*COMMAND, "simulate", "dexatel", "--port", str(port), "--profile", "calm")
    async with Running(command, run.folder / f"provider-{port}", environment({})) as process:
        await process.until(lambda: listens(f"127.0.0.1:{port}"), 30)
        yield f"http://127.0.0.1:{port}"


async def _bridge(run: Run) -> Measured:
    prefix, polls = f"bench-{uuid4().hex[:6]}", run.scaled(POLLS)
    now = int(time.time() * 1000)

    def journal() -> Iterator[Record]:
        for number in range(polls):
            sent = replace(attempt(number, now), provider="dexatel")
            key = sent.key.encode()
            yield Record(f"{prefix}.journal", partition_for(key, PARTITIONS), key, encode_entry(sent))

    async with _provider(run) as url:
        values = settings(run.cluster.bootstrap_servers, prefix, partitions=PARTITIONS) | {
            "DEXATEL__BASE_URL": url,
            "DEXATEL__TOKEN": TOKEN,
            "DEXATEL__POLL": "1s",
            "DEXATEL__POLL_PATH": "/dlr/{id}",
            "DEXATEL__POLL_CONCURRENCY": str(CONNECTIONS),
            "DEXATEL__RATE_PER_SECOND": "100000",
        }
        await run.cluster.create(f"{prefix}.sent", partitions=1)
        await prepare(values, run.folder / prefix)
        try:
            async with Bridge(values, run.folder / prefix, "track,poll") as bridge:
                await bridge.ready()
                await run.cluster.fill(journal())
                return await _polled(bridge, polls)
        finally:
            await run.cluster.delete(*await run.cluster.names(f"{prefix}."))


async def _polled(bridge: Bridge, polls: int) -> Measured:
    started, first = time.monotonic(), None
    while time.monotonic() - started < WITHIN:
        done = await bridge.metrics("sms_bridge_polls_completed_total")
        now, cpu = time.monotonic(), bridge.process.cpu()
        if first is None and done >= FIRST * polls:
            first = now, cpu, done
        if first and done >= LAST * polls and done > first[2]:
            count = done - first[2]
            return {"per_second": count / (now - first[0]), "cpu_us": (cpu - first[1]) / count * 1e6}
        await asyncio.sleep(0.1)
    raise Failed(f"not {polls} polls in {WITHIN:g} s\n{bridge.process.tail()}")


async def _httpx(run: Run) -> Measured:
    # Far fewer: it is so much slower that this takes about as long.
    polls = run.scaled(POLLS) // 5
    async with _provider(run) as url:
        command = (sys.executable, "-m", "bench.peers.plain_httpx", url, TOKEN, str(CONNECTIONS), str(polls))
        folder = run.folder / f"httpx-{uuid4().hex[:6]}"
        said = await finished(command, folder, environment({}), WITHIN)
    per_second, cpu_us = map(float, said.split()[-2:])
    return {"per_second": per_second, "cpu_us": cpu_us}
