"""All roles in one process, 500 messages a second: from a callback to its event before a read_committed reader.

On one journal partition, which is enough for ten times as much, and on more: what each of them costs.
"""

import asyncio
import time
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import aiohttp
import orjson

from bench.bridge import SECRET, Bridge, settings
from bench.contest import Contestant, Measured, contest
from bench.process import Failed
from bench.run import Run
from bench.traffic import sent_event

RATE = 500
"""Messages a second: as many sent events, and as many callbacks."""

SECONDS = 10
PARTITIONS = (1, 4, 12)
TICK = 0.01
LATER = 2.0
"""Seconds from a sent event to its callback."""

SETTLED_WITHIN = 30.0


async def measure(run: Run) -> Mapping[str, Any]:
    """Measure each number of journal partitions."""
    contestants = [
        Contestant(f"{count}", lambda _, count=count: _flow(run, count))  # type: ignore[misc]
        for count in PARTITIONS
    ]
    return (await contest(contestants, run.rounds, run.show)).as_json()


async def _flow(run: Run, partitions: int) -> Measured:
    """Send at a steady rate, call back, and watch what comes out."""
    prefix = f"bench-{uuid4().hex[:6]}"
    values = settings(run.cluster.bootstrap_servers, prefix, partitions=partitions)
    await run.cluster.create(f"{prefix}.sent", partitions=3)
    try:
        async with Bridge(values, run.folder / prefix, "intake,receive,track,poll") as bridge:
            await bridge.ready()
            await bridge.restored(30)
            flow = Flow(run, bridge, prefix)
            cpu = bridge.process.cpu()
            took = sorted(await flow.run(max(200, int(RATE * SECONDS * min(1.0, run.scale)))))
            used = bridge.process.cpu() - cpu
            parts = {
                "callback_ms": await bridge.mean("sms_bridge_callback_duration") * 1000,
                "transaction_ms": await bridge.mean("sms_bridge_transaction_duration") * 1000,
                "transaction_entries": await bridge.mean("sms_bridge_transaction_entries"),
            }
    finally:
        await run.cluster.delete(*await run.cluster.names(f"{prefix}."))
    return {
        "p50_ms": took[len(took) // 2] * 1000,
        "p99_ms": took[len(took) * 99 // 100] * 1000,
        "cpu_us": used / len(took) * 1e6,
        **parts,
    }


class Flow:
    """A stream of messages through one bridge, each timed."""

    def __init__(self, run: Run, bridge: Bridge, prefix: str) -> None:
        self._run, self._bridge, self._prefix = run, bridge, prefix
        self._called: dict[str, float] = {}
        self._took: list[float] = []

    async def run(self, messages: int) -> list[float]:
        """Send so many; seconds that each took from its callback to its event.

        Raises:
            Failed: Some events did not come.
        """
        reader = await self._run.cluster.kafka.reader(committed=True)
        producer = await self._run.cluster.kafka.producer()
        reading = asyncio.create_task(self._read(reader, messages))
        try:
            async with aiohttp.ClientSession() as client, asyncio.TaskGroup() as group:
                began = time.monotonic()
                for number in range(messages):
                    await asyncio.sleep(max(0.0, began + number / RATE - time.monotonic() - TICK))
                    event = sent_event(number)
                    key = event["message_id"].encode()
                    await producer.send(f"{self._prefix}.sent", orjson.dumps(event), key=key)
                    group.create_task(self._call(client, event, began + number / RATE + LATER))
            async with asyncio.timeout(SETTLED_WITHIN):
                await reading
        except TimeoutError:
            raise Failed(f"{len(self._took)} of {messages} events came") from None
        finally:
            reading.cancel()
            await producer.stop()
            await reader.stop()
        return self._took

    async def _call(self, client: aiohttp.ClientSession, event: Mapping[str, Any], at: float) -> None:
        await asyncio.sleep(max(0.0, at - time.monotonic()))
        provider, their_id = event["provider"], event["provider_message_id"]
        url = f"{self._bridge.url}/dlr/{provider}/{SECRET}"
        self._called[event["message_id"]] = time.monotonic()
        if provider == "dexatel":
            asked = client.get(url, params={"message_uuid": their_id, "status": "delivered"})
        else:
            asked = client.post(url, json={"messageid": their_id, "description": "DeliveredToTerminal"})
        async with asked as answer:
            if answer.status != 200:
                raise Failed(f"a callback was answered with {answer.status}")

    async def _read(self, reader: Any, messages: int) -> None:
        tps = list(await self._run.cluster.partitions(f"{self._prefix}.delivery"))
        reader.assign(tps)
        await reader.seek_to_beginning(*tps)
        while len(self._took) < messages:
            batches = await reader.getmany(timeout_ms=100)
            now = time.monotonic()
            for batch in batches.values():
                self._took += [now - self._called[orjson.loads(record.value)["message_id"]] for record in batch]
