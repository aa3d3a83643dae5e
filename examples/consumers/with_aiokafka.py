"""Keeps the latest status of every message from `sms.delivery`, with aiokafka.

pip install aiokafka
BOOTSTRAP_SERVERS=localhost:9092 GROUP=my-team python with_aiokafka.py
"""

import asyncio
import json
import os
import signal
from contextlib import suppress
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord

latest: dict[tuple[str, str, str], dict[str, Any]] = {}
"""The last event of each attempt. A real consumer stores it in its database, in the same transaction as its work."""


def take(event: dict[str, Any]) -> bool:
    """Keep an event unless it is a duplicate: within an attempt, `sequence` only increases."""
    attempt = (event["provider"], event["account"], event["provider_message_id"])
    known = latest.get(attempt)
    if known and event["sequence"] <= known["sequence"]:
        return False
    latest[attempt] = event
    return True


def handle(record: ConsumerRecord) -> None:
    """Process an event; this example prints a line for each change."""
    event = json.loads(record.value)
    if take(event):
        told = {name: event[name] for name in ("message_id", "outcome", "status", "final", "corrects")}
        print(json.dumps(told), flush=True)


async def main() -> None:
    """Read until SIGTERM."""
    reading = asyncio.create_task(read())
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, reading.cancel)
    with suppress(asyncio.CancelledError):
        await reading


async def read() -> None:
    """Read until cancelled."""
    consumer = AIOKafkaConsumer(
        os.environ.get("TOPIC", "sms.delivery"),
        bootstrap_servers=os.environ["BOOTSTRAP_SERVERS"],
        group_id=os.environ["GROUP"],
        isolation_level="read_committed",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    async with consumer:
        while True:
            batches = await consumer.getmany(timeout_ms=1000)
            for records in batches.values():
                for record in records:
                    handle(record)
            if batches:
                await consumer.commit()  # after the work: after a crash, events are read again


if __name__ == "__main__":
    asyncio.run(main())
