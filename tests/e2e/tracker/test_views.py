"""The compacted topic of latest events, and values with a schema registry's header."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import pytest
import pytest_asyncio
from confluent_kafka import Consumer
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.json_schema import JSONDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext

from bridge.core.entries import AttemptKey
from bridge.kafka.partitioner import partition_for
from tests.support.kafka.schema_registry import Registry, listening, registered
from tests.support.kafka.topics import config_of
from tests.support.paths import SCHEMAS
from tests.support.service.accounts import SECRETS, secrets
from tests.support.service.admin import events
from tests.support.service.bridge import Bridge, message
from tests.support.service.fleet import Fleet
from tests.support.service.process import run_refused

CALLBACKS_ONLY = {**secrets("dexatel"), "DEXATEL__POLL": "never"}


def read(servers: str, topic: str, count: int, within: float = 60) -> list[Any]:
    """Read this many records of a topic with an independent consumer."""
    consumer = Consumer(
        {
            "bootstrap.servers": servers,
            "group.id": f"{topic}.reader",
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed",
        }
    )
    consumer.subscribe([topic])
    found: list[Any] = []
    end = time.monotonic() + within
    try:
        while len(found) < count and time.monotonic() < end:
            found += [one for one in consumer.consume(count, 0.2) if not one.error()]
    finally:
        consumer.close()
    assert len(found) >= count
    return found


@pytest_asyncio.fixture
async def registry() -> AsyncIterator[Registry]:
    """A running registry."""
    async with listening() as registry:
        yield registry


async def test_latest_event_topic(fleet: Fleet, client: httpx.AsyncClient, kafka: str) -> None:
    """A compacted topic has each attempt's last event, written once per transaction."""
    async with fleet.topics() as topics:
        name = f"{topics.delivery}.latest"
        async with fleet.running({**topics.settings, **CALLBACKS_ONLY, "TOPICS__LATEST": name}) as service:
            bridge = Bridge(service, topics, client, SECRETS)
            early, one = message(), await bridge.send()
            await bridge.report_all(early, "pending", "sent", "delivered")
            await topics.wait_until_folded()
            await bridge.send(early)
            events = await bridge.events(early, 3)
            records = await asyncio.to_thread(read, kafka, name, 1)
            key = str(AttemptKey("dexatel", "default", early.provider_message_id)).encode()
            assert [record.key() for record in records] == [key]
            assert json.loads(records[0].value()) == events[-1].document
            assert records[0].partition() == partition_for(key, 3)
            assert dict(records[0].headers())["ce_id"].decode() == events[-1].document["event_id"]
            await bridge.report_all(one, "delivered")
            await bridge.events(one)
            assert (await config_of(topics, name))["cleanup.policy"] == "compact"


async def test_confluent_deserializer_reads_events(
    fleet: Fleet, client: httpx.AsyncClient, kafka: str, registry: Registry
) -> None:
    """The schema is registered at start, and each value has its id."""
    async with fleet.topics() as topics:
        settings = {**topics.settings, **CALLBACKS_ONLY, **registered(registry, WIRE_FORMAT="true")}
        async with fleet.running(settings) as service:
            bridge = Bridge(service, topics, client, SECRETS)
            one = message()
            async with aiohttp.ClientSession() as session, session.get(f"{service.admin_url}/api/events") as page:
                await topics.publish(one.sent())
                await bridge.report_all(one, "delivered")
                async with asyncio.timeout(60):
                    live = await anext(events(page))
            [record] = await asyncio.to_thread(read, kafka, topics.delivery, 1)
    assert list(registry.subjects) == [f"{topics.delivery}-value"]
    schema = json.loads((SCHEMAS / "sms.delivery.v1.json").read_text())
    assert json.loads(registry.subjects[f"{topics.delivery}-value"]) == schema
    with SchemaRegistryClient({"url": registry.url}) as known:
        read_value = JSONDeserializer(None, schema_registry_client=known)
        context = SerializationContext(topics.delivery, MessageField.VALUE)
        event = await asyncio.to_thread(read_value, record.value(), context)
    assert (event["message_id"], event["status"]) == (one.message_id, "delivered")
    assert live == event, "the page doesn't show framed values as they are"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"PASSWORD": "another-password-of-it"}, "Unauthorized"),
        ({"URL": "http://127.0.0.1:1"}, "no registry answers there: the connection is refused"),
        ({"URL": "http://no-such-host.invalid"}, "no registry answers there: the name isn't found"),
        ({"URL": "", "WIRE_FORMAT": "true"}, "REGISTRY__URL is needed"),
    ],
)
async def test_registry_refusal_stops_the_start(
    fleet: Fleet, registry: Registry, tmp_path: Path, change: Mapping[str, str], said: str
) -> None:
    """The error is one line that names the setting, without the password."""
    async with fleet.topics() as topics:
        settings = {**topics.settings, **CALLBACKS_ONLY, **registered(registry, **change)}
        code, lines = await run_refused(settings, tmp_path / "refused")
    assert code == 1
    [line] = lines
    assert said in line
    assert "REGISTRY__" in line
    assert "password-of" not in line
