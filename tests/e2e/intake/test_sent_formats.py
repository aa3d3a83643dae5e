"""Sent events in the formats of others: facts outside the value, several attempts in a record, Avro."""

import asyncio
import json
import time
from typing import Any

import httpx
import pytest

from tests.support.kafka.avro import serialize
from tests.support.kafka.schema_registry import listening, registered
from tests.support.service.accounts import CALLBACKS_ONLY, SECRETS
from tests.support.service.bridge import Bridge, Message, message
from tests.support.service.command import sms_bridge
from tests.support.service.fleet import Fleet
from tests.support.waiting import wait_until

AVRO = {
    "type": "record",
    "name": "SmsSent",
    "fields": [
        *({"name": name, "type": "string"} for name in ("message_id", "provider", "provider_message_id")),
        {"name": "sent_at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "metadata", "type": {"type": "map", "values": "int"}},
    ],
}


async def delivered(bridge: Bridge, one: Message) -> Any:
    """Report that a message was delivered, and return its only event."""
    await bridge.report_all(one, "delivered")
    [event] = await bridge.events(one)
    assert (event["message_id"], event["status"]) == (one.message_id, "delivered")
    return event


async def test_facts_stand_outside_the_value(fleet: Fleet, client: httpx.AsyncClient) -> None:
    """The ids in the record's key and a header, and its timestamp as the time."""
    fields = {
        "message_id": "key:",
        "provider_message_id": "/payload/ref",
        "provider": "header:via",
        "sent_at": "timestamp:",
    }
    where = {"header:type": ["SmsSent"]}
    async with fleet.topics() as topics:
        shape = {"SENT__FIELDS": json.dumps(fields), "SENT__WHERE": json.dumps(where)}
        async with fleet.running({**topics.settings, **CALLBACKS_ONLY, **shape}) as service:
            bridge = Bridge(service, topics, client, SECRETS)
            one, at = message(), int(time.time() * 1000) - 5_000
            row = {"payload": json.dumps({"ref": one.provider_message_id})}
            headers = {"type": "SmsSent", "via": one.provider}
            for kind in ("SmsPlanned", "SmsSent"):
                await topics.publish(row, key=one.message_id, headers={**headers, "type": kind}, at=at)
            event = await delivered(bridge, one)
            [entry] = [entry for entry in topics.entries if entry["type"] == "sent"]
            assert (entry["sent_at"], event["message_id"]) == (at, one.message_id)
            assert await service.read_sample('sms_bridge_sent_skipped_total{reason="filtered"}') == 1
            assert not topics.dead_letters


async def test_several_attempts_in_a_record(fleet: Fleet, client: httpx.AsyncClient) -> None:
    """Each is followed once, also if the record is read again; a bad one becomes a dead letter of the whole record."""
    fields = {"provider_message_id": "/id", "message_id": "//order"}
    async with fleet.topics() as topics:
        shape = {"SENT__EACH": "/recipients", "SENT__FIELDS": json.dumps(fields)}
        settings = {**topics.settings, **CALLBACKS_ONLY, **shape}
        messages = [message(message_id="order-1") for _ in range(3)]
        elements: list[dict[str, Any]] = [{"id": one.provider_message_id} for one in messages]
        record = {"order": "order-1", "provider": "dexatel", "recipients": [*elements[:2], {"to": "+1"}, elements[2]]}
        value = json.dumps(record).encode()
        async with fleet.running(settings) as service:
            bridge = Bridge(service, topics, client, SECRETS)
            sent = await topics.publish(value)
            for one in messages:
                await delivered(bridge, one)
            letter = await bridge.wait_for_dead_letter(source_offset=sent.offset, source_partition=sent.partition)
            assert (letter.headers["reason"], letter.value) == ("invalid", value)
            assert letter.headers["error"].startswith("/recipients/2: provider_message_id: missing")
            assert await service.read_sample('sms_bridge_sent_accepted_total{provider="dexatel"}') == 3
            assert await service.read_sample('sms_bridge_sent_members_ignored_total{member="sent_at"}') == 3
        said = await sms_bridge(settings, "replay", "--reason", "invalid", "--json")
        assert (said.code, said.document["totals"]["still_bad"]) == (1, 1)
        async with fleet.running(settings) as service:
            bridge = Bridge(service, topics, client, SECRETS)
            await topics.publish(value)
            await topics.wait_until_folded()
            for one in messages:
                assert len(bridge.story(one)) == 1


async def test_a_bad_member_is_counted_and_logged_once(fleet: Fleet, client: httpx.AsyncClient) -> None:
    """It costs the message nothing."""
    async with fleet.topics() as topics, fleet.running({**topics.settings, **CALLBACKS_ONLY}) as service:
        bridge = Bridge(service, topics, client, SECRETS)
        messages = [message() for _ in range(3)]
        for one in messages:
            await topics.publish(one.sent(recipient=["+1"], metadata={"n": 7, "none": None}, sent_at="yesterday"))
        for one in messages:
            event = await delivered(bridge, one)
            assert (event["recipient"], event["metadata"]) == (None, {"n": "7"})
        for member in ("recipient", "sent_at"):
            name = f'sms_bridge_sent_members_ignored_total{{member="{member}"}}'
            assert await service.read_sample(name) == 3
            lines = [line for line in service.log.splitlines() if "members of sent events ignored" in line]
            assert sum(member in line.split("why")[0] for line in lines) == 1
        assert not topics.dead_letters


async def test_avro_waits_for_its_registry(fleet: Fleet, client: httpx.AsyncClient) -> None:
    """While the registry is away, records wait; then all are followed, and none becomes a dead letter."""
    async with listening() as registry, fleet.topics() as topics:
        one = message()
        value = await serialize(registry, AVRO, avro_message(one))
        registry.is_away = True
        settings = {**topics.settings, **CALLBACKS_ONLY, **registered(registry), "SENT__FORMAT": "avro"}
        async with fleet.running(settings) as service:
            bridge = Bridge(service, topics, client, SECRETS)
            await topics.publish(value)

            async def is_asked_again() -> bool:
                return len(registry.asked) > 2

            await wait_until(is_asked_again, 30, lambda: f"asked for {registry.asked}")
            assert "schemas of sent events can't be fetched" in service.log
            assert await service.is_ready()
            registry.is_away = False
            event = await delivered(bridge, one)
            assert event["metadata"] == {"campaign": "7"}
            assert not topics.dead_letters


async def test_avro_is_replayed_once_the_format_is_set(fleet: Fleet, client: httpx.AsyncClient) -> None:
    """Without the setting, a dead letter says what to set; then it can be replayed."""
    async with listening() as registry, fleet.topics() as topics:
        one = message()
        value = await serialize(registry, AVRO, avro_message(one))
        settings = {**topics.settings, **CALLBACKS_ONLY, **registered(registry)}
        async with fleet.running(settings) as service:
            bridge = Bridge(service, topics, client, SECRETS)
            await topics.publish(value)
            letter = await bridge.wait_for_dead_letter_of(value)
            assert "set SENT__FORMAT=avro" in letter.headers["error"]
            said = await sms_bridge({**settings, "SENT__FORMAT": "avro"}, "replay", "--json")
            assert said.document["totals"]["journaled"] == 1
            await delivered(bridge, one)


def avro_message(one: Message) -> dict[str, Any]:
    """The message as the schema has it."""
    return {
        "message_id": one.message_id,
        "provider": one.provider,
        "provider_message_id": one.provider_message_id,
        "sent_at": int(time.time() * 1000),
        "metadata": {"campaign": 7},
    }


async def test_a_sample_is_read_with_its_key_and_headers(tmp_path: Any) -> None:
    """`check --sample` shows what is ignored; it needs no Kafka."""
    fields = {"message_id": "key:/id", "provider": "header:via"}
    settings = {
        "KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:1",
        **CALLBACKS_ONLY,
        "SENT__FIELDS": json.dumps(fields),
    }
    file = tmp_path / "sample.json"
    await asyncio.to_thread(
        file.write_text, json.dumps({"provider_message_id": 7, "sender": [1], "metadata": {"a": 1}})
    )
    options = ("--sample", str(file), "--key", '{"id":"m-1"}', "--header", "via=dexatel", "--json")
    said = await sms_bridge(settings, "check", *options)
    assert said.code == 0, said
    members = {one["name"]: one for one in said.document["members"]}
    assert members["message_id"]["taken"] == "m-1"
    assert members["sender"]["wrong"] == "is ignored: not text"
    assert members["sent_at"]["wrong"] == "is ignored: missing; the record's timestamp takes its place"
    assert members["metadata"]["taken"] == {"a": "1"}
    assert said.document["entry"]["provider_message_id"] == "7"


@pytest.mark.parametrize("setting", ["recipients", "key:"])
async def test_a_wrong_pointer_is_refused(fleet: Fleet, setting: str) -> None:
    """SENT__EACH leads into the value."""
    async with fleet.topics() as topics:
        said = await sms_bridge({**topics.settings, **CALLBACKS_ONLY, "SENT__EACH": setting}, "check", "--sample", "x")
        assert said.code != 0
        assert "SENT__EACH should be a JSON pointer" in said.err
