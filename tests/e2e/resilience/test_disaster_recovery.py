"""Disaster recovery as in docs/operating.md: a topic is lost and rebuilt."""

import asyncio
import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from confluent_kafka import Consumer
from confluent_kafka import TopicPartition as Place

from tests.support.service.accounts import SECRETS, secrets
from tests.support.service.bridge import Bridge, Message, message
from tests.support.service.fleet import Fleet
from tests.support.service.process import Service, environment, run_refused
from tests.support.service.topics import Topics
from tests.support.waiting import wait_until

SETTINGS = {**secrets("dexatel"), "DEXATEL__POLL": "never"}


async def command(service: Service, *arguments: str, code: int = 0) -> str:
    """Run `sms-bridge topics` with a service's settings, and return its output."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bridge", "topics", *arguments),
        env=environment(service.settings),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await process.communicate()
    assert process.returncode == code, out.decode()
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


async def test_lost_state_topic_is_rebuilt(fleet: Fleet, client: httpx.AsyncClient, tmp_path: Path) -> None:
    """No process starts before; then open messages go on, ended ones stay ended, and nothing is published again."""
    async with fleet.topics() as topics:
        settings = {**topics.settings, **SETTINGS, "DEXATEL__GIVE_UP_AFTER": "30d", "FOLLOW__REMEMBER_FOR": "30d"}
        bridge, one = await run_until_interim(fleet.service(settings), topics, client)
        service = bridge.service
        async with service:
            ended, given_up = await bridge.send_and_wait(), message()
            soon = (datetime.now(UTC) + timedelta(seconds=1)).isoformat()
            await topics.publish(given_up.sent(give_up_at=soon))
            await bridge.report_all(ended, "delivered")
            assert [event["status"] for event in await bridge.events(ended)] == ["delivered"]
            assert [event["reason"] for event in await bridge.events(given_up)] == ["no_report"]
            await topics.wait_until_folded()
            refused = await command(service, "--rebuild-state", code=1)
            assert "stop all bridges" in refused
        await delete(topics, topics.state)
        for roles in ("intake,receive", "track"):
            code, lines = await run_refused(service.settings, tmp_path / roles, "--roles", roles)
            assert code == 1
            [line] = lines
            assert topics.state in line
            assert "--rebuild-state" in line
        assert "rebuilt partition" in await command(service, "--rebuild-state")
        assert "no partition has lost states" in await command(service, "--rebuild-state")
        async with service:
            await bridge.report_all(one, "delivered")
            await bridge.report_all(ended, "sent")
            await bridge.report_all(given_up, "delivered")
            events = [event_of(event) for event in await published(topics, lambda found: len(found) >= 5)]
            await topics.wait_until_folded()
        told = sorted((event["message_id"], event["sequence"], event["status"]) for event in events)
        assert told == sorted(
            [
                (one.message_id, 1, "sent"),
                (one.message_id, 2, "delivered"),
                (ended.message_id, 1, "delivered"),
                (given_up.message_id, 1, "unknown"),
                (given_up.message_id, 2, "delivered"),
            ]
        )


async def test_adopting_the_start_repeats_nothing(fleet: Fleet, client: httpx.AsyncClient) -> None:
    """Also of messages that were forgotten, which the lost commits knew of."""
    async with fleet.topics() as topics:
        settings = {**topics.settings, **SETTINGS, "DEXATEL__GIVE_UP_AFTER": "2s", "FOLLOW__REMEMBER_FOR": "500ms"}
        service = fleet.service(settings)
        bridge = Bridge(service, topics, client, SECRETS)
        async with service:
            one = await bridge.send_and_wait()
            await bridge.report_all(one, "delivered")
            await bridge.events(one)

            async def is_forgotten() -> bool:
                await bridge.report_all(one, "delivered")  # of a message that isn't known it waits
                return await service.read_sample("sms_bridge_parked_reports") > 0

            await topics.wait_until_async(is_forgotten, "the message is forgotten")
        await forget(topics, "tracker")
        assert "adopted at the start" in await command(service, "--adopt", "start")
        async with service:
            later = await bridge.send_and_wait()
            await bridge.report_all(later, "delivered")
            await bridge.events(later)
            await topics.wait_until_folded()
            await bridge.events(one)


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
