"""The poller with 64 connections to the simulated provider, beside plain httpx with the same polls."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

from msgspec.structs import replace

from bench.bridge import Bridge, create_topics, make_environment, make_settings
from bench.contest import Contestant, Measured, run_contest
from bench.process import BenchmarkError, MeasuredProcess, run_to_end
from bench.run import Run
from bench.subjects.receiver import is_listening
from bench.toolchain import BRIDGE_PYTHON
from bench.traffic import make_attempt
from bridge.journal.serde import encode_entry
from bridge.kafka.partitioner import partition_for
from bridge.kafka.records import Record
from bridge.sandbox.ports import claim_free_ports
from bridge.sandbox.simulator.options import TOKEN

POLLS = 10_000
CONNECTIONS = 64
PARTITIONS = 4
TIMEOUT_SECONDS = 120.0
START_SHARE, END_SHARE = 0.2, 0.9
"""Only the polls between these shares are measured."""


async def measure(run: Run) -> Mapping[str, Any]:
    """Measure the contestants."""
    contestants = (
        Contestant("sms-bridge", lambda _: _bridge(run)),
        Contestant("httpx", lambda _: _httpx(run)),
    )
    result = await run_contest(contestants, min(run.rounds, 3), run.show)
    return {
        **result.as_json(),
        "speed_ratio": {"httpx": result.ratio("per_second", "sms-bridge", "httpx")},
        "cpu_ratio": {"httpx": result.ratio("cpu_us", "sms-bridge", "httpx")},
    }


@asynccontextmanager
async def _start_provider(run: Run) -> AsyncIterator[str]:
    port = claim_free_ports(1)[0]
    command = (sys.executable, "-m", "bridge", "simulate", "dexatel", "--port", str(port), "--profile", "calm")
    async with MeasuredProcess(command, run.folder / f"provider-{port}", make_environment({})) as process:
        await process.wait_until(lambda: is_listening(f"127.0.0.1:{port}"), 30)
        yield f"http://127.0.0.1:{port}"


async def _bridge(run: Run) -> Measured:
    prefix, polls = f"bench-{uuid4().hex[:6]}", run.scale_count(POLLS)
    now = int(time.time() * 1000)

    def journal() -> Iterator[Record]:
        for number in range(polls):
            sent = replace(make_attempt(number, now), provider="dexatel")
            key = sent.key.encode()
            yield Record(f"{prefix}.journal", partition_for(key, PARTITIONS), key, encode_entry(sent))

    async with _start_provider(run) as url:
        values = make_settings(run.cluster.bootstrap_servers, prefix, partitions=PARTITIONS) | {
            "DEXATEL__BASE_URL": url,
            "DEXATEL__TOKEN": TOKEN,
            "DEXATEL__POLL": "1s",
            "DEXATEL__POLL_PATH": "/dlr/{id}",
            "DEXATEL__POLL_CONCURRENCY": str(CONNECTIONS),
            "DEXATEL__RATE_PER_SECOND": "100000",
        }
        await run.cluster.create_topics(f"{prefix}.sent", partitions=1)
        await create_topics(values, run.folder / prefix)
        try:
            async with Bridge(values, run.folder / prefix, "track,poll") as bridge:
                await bridge.wait_until_ready()
                await run.cluster.fill(journal())
                return await _measure_polls(bridge, polls)
        finally:
            await run.cluster.delete_topics(*await run.cluster.list_topics(f"{prefix}."))


async def _measure_polls(bridge: Bridge, polls: int) -> Measured:
    started, first = time.monotonic(), None
    while time.monotonic() - started < TIMEOUT_SECONDS:
        done = await bridge.sum_metric("sms_bridge_polls_completed_total")
        now, cpu = time.monotonic(), bridge.process.read_cpu_seconds()
        if first is None and done >= START_SHARE * polls:
            first = now, cpu, done
        if first and done >= END_SHARE * polls and done > first[2]:
            count = done - first[2]
            return {"per_second": count / (now - first[0]), "cpu_us": (cpu - first[1]) / count * 1e6}
        await asyncio.sleep(0.1)
    raise BenchmarkError(f"fewer than {polls} polls in {TIMEOUT_SECONDS:g} s\n{bridge.process.tail()}")


async def _httpx(run: Run) -> Measured:
    # Fewer polls, because httpx is slower.
    polls = run.scale_count(POLLS) // 5
    async with _start_provider(run) as url:
        command = (str(BRIDGE_PYTHON), "-m", "bench.peers.plain_httpx", url, TOKEN, str(CONNECTIONS), str(polls))
        folder = run.folder / f"httpx-{uuid4().hex[:6]}"
        output = await run_to_end(command, folder, make_environment({}), TIMEOUT_SECONDS)
    per_second, cpu_us = map(float, output.split()[-2:])
    return {"per_second": per_second, "cpu_us": cpu_us}
