"""Disaster recovery as in docs/operating.md: a topic is lost and rebuilt."""

import asyncio
import json
import sys
from collections.abc import Callable
from typing import Any

import httpx
from confluent_kafka import Consumer
from confluent_kafka import TopicPartition as Place

from tests.support.service.accounts import SECRETS, secrets
from tests.support.service.bridge import Bridge, Message
from tests.support.service.fleet import Fleet
from tests.support.service.process import Service, environment
from tests.support.service.topics import Topics
from tests.support.waiting import wait_until

SETTINGS = {**secrets("dexatel"), "DEXATEL__POLL": "never"}


async def command(service: Service, *arguments: str) -> str:
    """Run `sms-bridge topics` with a service's settings, and return its output."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bridge", "topics", *arguments),
        env=environment(service.settings),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await process.communicate()
    assert process.returncode == 0, out.decode()
    return out.decode()


async def delete(topics: Topics, name: str) -> None:
    """Delete a topic."""
    [done] = topics.admin.delete_topics([name]).values()
    await asyncio.wrap_future(done)

    async def is_gone() -> bool:
        return name not in (await asyncio.to_thread(topics.admin.list_topics, timeout=60)).topics

    await wait_until(is_gone, 60, lambda: f"{name} is still there")


async def forget(topics: Topics, group: str) -> None:
    """Delete an inactive consumer group of the bridge."""
    [done] = topics.admin.delete_consumer_groups([f"{topics.group}.{group}"]).values()
    await asyncio.wrap_future(done)


async def published(topics: Topics, enough: Callable[[list[Any]], bool]) -> list[Any]:
    """Return everything in the events' topic, once there is enough."""
    found: list[Any] = []
    consumer = Consumer(
        {
            "bootstrap.servers": topics.settings["KAFKA__BOOTSTRAP_SERVERS"],
            "group.id": f"{topics.group}.after",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
        }
    )
    consumer.assign([Place(topics.delivery, number, 0) for number in range(3)])

    async def read() -> bool:
        found.extend(await asyncio.to_thread(consumer.consume, 100, 0.2))
        return enough(found)

    try:
        await wait_until(read, 60, lambda: f"only {[one.value() for one in found]}")
    finally:
        await asyncio.to_thread(consumer.close)
    return found


async def run_until_interim(service: Service, topics: Topics, client: httpx.AsyncClient) -> tuple[Bridge, Message]:
    """Run the service until a message has an interim event, and stop it."""
    bridge = Bridge(service, topics, client, SECRETS)
    async with service:
        one = await bridge.send_and_wait()
        await bridge.report_all(one, "sent")
        await bridge.events(one)
        await topics.wait_until_folded()
    return bridge, one


async def test_lost_state_topic_is_rebuilt(fleet: Fleet, client: httpx.AsyncClient) -> None:
    """The journal is folded again: the same events are published, and open messages continue."""
    async with fleet.topics() as topics:
        bridge, one = await run_until_interim(fleet.service({**topics.settings, **SETTINGS}), topics, client)
        service = bridge.service
        await delete(topics, topics.state)
        await forget(topics, "tracker")
        await command(service, "--apply")
        assert "adopted at the start" in await command(service, "--adopt", "start")
        async with service:
            await bridge.report_all(one, "delivered")
            events = await published(topics, lambda found: len(found) >= 3)
        first, again, last = sorted((event_of(event) for event in events), key=lambda event: event["sequence"])
        assert first == again
        assert (last["status"], last["previous_status"], last["sequence"]) == ("delivered", "sent", 2)


async def test_lost_journal(fleet: Fleet, client: httpx.AsyncClient) -> None:
    """Attempts in the state topic continue, and sent events that only the journal had are read again."""
    async with fleet.topics() as topics:
        bridge, one = await run_until_interim(fleet.service({**topics.settings, **SETTINGS}), topics, client)
        service = bridge.service
        await delete(topics, topics.journal)
        await command(service, "--apply")
        await command(service, "--adopt", "start")
        await topics.rewind()
        async with service:
            await bridge.report_all(one, "delivered")
            events = await published(topics, lambda found: len(found) >= 2)
        told = [event_of(event)["status"] for event in events]
        assert told == ["sent", "delivered"]


def event_of(record: Any) -> Any:
    """Return a record's event."""
    return json.loads(record.value())
