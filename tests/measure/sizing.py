"""What a message costs: CPU, memory and disk of one bridge on a Kafka of its own (`python -m tests.measure.sizing`).

Figures of docs/operating.md. Cost per message, not speed, so that a busy machine gives the same.
"""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from aiohttp import ClientSession, TCPConnector

from bridge.sandbox.kafka.broker import Sandbox
from tests.support.service.accounts import SECRETS, secrets
from tests.support.service.bridge import Message, message
from tests.support.service.fleet import Fleet
from tests.support.service.process import Service
from tests.support.service.topics import Topics
from tests.support.waiting import wait_until

CONCURRENCY = 128
WORDS = ("sent", "delivered")
PATIENCE = 600


class Spent(NamedTuple):
    """The resources that a process has used so far."""

    cpu: float
    memory: float


async def spent(service: Service) -> Spent:
    """Return CPU seconds and resident bytes from the process's own metrics."""
    return Spent(
        await service.read_sample("process_cpu_seconds_total"),
        await service.read_sample("process_resident_memory_bytes"),
    )


async def measure(messages: int) -> None:
    """Follow this many messages at once, then end them all by callbacks."""
    with tempfile.TemporaryDirectory() as folder:
        async with Sandbox() as kafka:
            fleet = Fleet(kafka.bootstrap_servers, Path(folder))
            async with fleet.topics() as topics:
                settings = {
                    **topics.settings,
                    **secrets("dexatel"),
                    "DEXATEL__POLL": "never",
                    "KAFKA__COMPRESSION": "lz4",
                }
                service = fleet.service({**settings, "TOPICS__JOURNAL_PARTITIONS": "24"})
                await _measure(service, topics, [message() for _ in range(messages)])
                data = kafka.brokers[0].log.parent / "data-1"
                for name in (topics.journal, topics.state, topics.delivery):
                    say(f"{name.rpartition('.')[2]}: {size(data, f'{name}-*/*.log') / messages:.0f} bytes a message")


async def _measure(service: Service, topics: Topics, sent: list[Message]) -> None:
    async with service:
        start = await spent(service)
        say(f"idle: {start.memory / 2**20:.0f} MiB")
        for at in range(0, len(sent), 5_000):
            await topics.publish_all([one.sent(recipient="37400000000", sender="A") for one in sent[at : at + 5_000]])
        await _open(service, len(sent))
        report("a sent event", start, await spent(service), len(sent))
    say(f"the cache: {size(service.state, '**/*') / len(sent):.0f} bytes an open message")
    async with service, ClientSession(connector=TCPConnector(limit=CONCURRENCY)) as client:
        start = await spent(service)
        await _call(client, f"{service.url}/dlr/dexatel/{SECRETS['dexatel', 'default']}", sent)
        await _open(service, 0)
        report("a callback and its event", start, await spent(service), len(sent) * len(WORDS))


def report(what: str, before: Spent, after: Spent, count: int) -> None:
    """Print the costs."""
    cpu = (after.cpu - before.cpu) / count * 1e6
    say(f"{what}: {cpu:.0f} µs of CPU; {after.memory / 2**20:.0f} MiB after {count:,}")


def say(line: str) -> None:
    """Print one figure."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def _open(service: Service, count: int) -> None:
    """Return when this many messages are open."""

    async def is_so() -> bool:
        return await service.read_sample('sms_bridge_attempts_followed{provider="dexatel"}') == count

    await wait_until(is_so, PATIENCE, lambda: f"there aren't {count} open messages")


async def _call(client: ClientSession, url: str, sent: Iterable[Message]) -> None:
    """Report every message, a limited number at a time."""
    waiting = iter(sent)

    async def call() -> None:
        for one in waiting:
            for word in WORDS:
                query = {"message_uuid": one.provider_message_id, "status": word}
                async with client.get(url, params=query) as answer:
                    assert answer.status == 200, answer.status

    await asyncio.gather(*(call() for _ in range(CONCURRENCY)))


def size(folder: Path, pattern: str) -> int:
    """Return the disk usage of these files."""
    return sum(file.stat().st_size for file in folder.glob(pattern) if file.is_file())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.measure.sizing", description=__doc__)
    parser.add_argument("--messages", type=int, default=50_000)
    sys.exit(asyncio.run(measure(parser.parse_args().messages)))
