"""All roles in one process at 500 messages per second: the time from a callback until a consumer has its event.

Measured with one journal partition, which is enough for ten times this load, and with more. A broker that has just
started takes three times as long for small transactions as one that runs for a minute, so it is warmed up first.
"""

import asyncio
import time
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import aiohttp
import orjson

from bench.bridge import SECRET, Bridge, make_settings
from bench.contest import Contestant, Measured, run_contest
from bench.process import BenchmarkError
from bench.run import Run
from bench.scaling import FLOW_RATE
from bench.traffic import make_sent_event

RATE = FLOW_RATE
"""Messages per second, each with a sent event and a callback."""

SECONDS = 20
WARM_UP_SECONDS = 3
"""Of each process, before its latencies count."""
BROKER_WARM_UP_SECONDS = 45
PARTITIONS = (1, 4, 12)
TICK_SECONDS = 0.01
CALLBACK_DELAY_SECONDS = 2.0
"""From a sent event to its callback."""

COMPLETE_TIMEOUT_SECONDS = 30.0


async def measure(run: Run) -> Mapping[str, Any]:
    """Measure each number of journal partitions."""
    run.show("warming up the broker")
    await _flow(run, max(PARTITIONS), BROKER_WARM_UP_SECONDS)
    contestants = [
        Contestant(f"{count}", lambda _, count=count: _flow(run, count, SECONDS))  # type: ignore[misc]
        for count in PARTITIONS
    ]
    return (await run_contest(contestants, run.rounds, run.show)).as_json()


async def _flow(run: Run, partitions: int, seconds: float) -> Measured:
    """Send messages and callbacks at a steady rate and measure the latency of their events."""
    prefix = f"bench-{uuid4().hex[:6]}"
    values = make_settings(run.cluster.bootstrap_servers, prefix, partitions=partitions)
    await run.cluster.create_topics(f"{prefix}.sent", partitions=3)
    try:
        async with Bridge(values, run.folder / prefix, "intake,receive,track,poll") as bridge:
            await bridge.wait_until_ready()
            await bridge.wait_until_restored(30)
            flow = Flow(run, bridge, prefix)
            first, rest = (
                max(200, int(RATE * duration * min(1.0, run.scale))) for duration in (WARM_UP_SECONDS, seconds)
            )
            cpu = bridge.process.read_cpu_seconds()
            latencies = sorted((await flow.run(first + rest))[first:])
            used = bridge.process.read_cpu_seconds() - cpu
            parts = {
                "callback_ms": await bridge.compute_mean("sms_bridge_callback_duration") * 1000,
                "transaction_ms": await bridge.compute_mean("sms_bridge_transaction_duration") * 1000,
                "transaction_entries": await bridge.compute_mean("sms_bridge_transaction_entries"),
            }
    finally:
        await run.cluster.delete_topics(*await run.cluster.list_topics(f"{prefix}."))
    return {
        "p50_ms": latencies[len(latencies) // 2] * 1000,
        "p99_ms": latencies[len(latencies) * 99 // 100] * 1000,
        "cpu_us": used / (first + rest) * 1e6,
        **parts,
    }


class Flow:
    """Sends messages through one bridge and times each."""

    def __init__(self, run: Run, bridge: Bridge, prefix: str) -> None:
        self._run, self._bridge, self._prefix = run, bridge, prefix
        self._called_at: dict[str, float] = {}
        self._latencies: list[float] = []

    async def run(self, messages: int) -> list[float]:
        """Send messages, and return each one's seconds from its callback to its event.

        Raises:
            BenchmarkError: Some events are missing.
        """
        reader = await self._run.cluster.kafka.reader(committed=True)
        producer = await self._run.cluster.kafka.producer()
        reading = asyncio.create_task(self._read(reader, messages))
        try:
            async with aiohttp.ClientSession() as client, asyncio.TaskGroup() as group:
                start = time.monotonic()
                for number in range(messages):
                    await asyncio.sleep(max(0.0, start + number / RATE - time.monotonic() - TICK_SECONDS))
                    event = make_sent_event(number)
                    key = event["message_id"].encode()
                    await producer.send(f"{self._prefix}.sent", orjson.dumps(event), key=key)
                    group.create_task(self._call(client, event, start + number / RATE + CALLBACK_DELAY_SECONDS))
            async with asyncio.timeout(COMPLETE_TIMEOUT_SECONDS):
                await reading
        except TimeoutError:
            raise BenchmarkError(f"{len(self._latencies)} of {messages} events arrived") from None
        finally:
            reading.cancel()
            await producer.stop()
            await reader.stop()
        return self._latencies

    async def _call(self, client: aiohttp.ClientSession, event: Mapping[str, Any], at: float) -> None:
        await asyncio.sleep(max(0.0, at - time.monotonic()))
        provider, provider_message_id = event["provider"], event["provider_message_id"]
        url = f"{self._bridge.url}/dlr/{provider}/{SECRET}"
        self._called_at[event["message_id"]] = time.monotonic()
        if provider == "dexatel":
            request = client.get(url, params={"message_uuid": provider_message_id, "status": "delivered"})
        else:
            request = client.post(url, json={"messageid": provider_message_id, "description": "DeliveredToTerminal"})
        async with request as response:
            if response.status != 200:
                raise BenchmarkError(f"a callback got {response.status}")

    async def _read(self, reader: Any, messages: int) -> None:
        tps = list(await self._run.cluster.list_partitions(f"{self._prefix}.delivery"))
        reader.assign(tps)
        await reader.seek_to_beginning(*tps)
        while len(self._latencies) < messages:
            batches = await reader.getmany(timeout_ms=100)
            now = time.monotonic()
            for batch in batches.values():
                self._latencies += [now - self._called_at[orjson.loads(record.value)["message_id"]] for record in batch]
