"""What Kafka refuses for good becomes a dead letter; its partition goes on, and the start refuses what can't work."""

import secrets

import httpx
import pytest

from bridge.clock import now_ms
from bridge.core.delivery import Reason, Source, Status
from bridge.core.entries import Report
from bridge.core.timestamps import format_rfc3339
from bridge.journal.serde import encode_entry
from bridge.kafka.partitioner import partition_for
from bridge.kafka.records import Record, send_batches
from tests.support.kafka.clients import clients_of
from tests.support.kafka.topics import set_config
from tests.support.service.accounts import CALLBACKS_ONLY, SECRETS
from tests.support.service.bridge import Bridge, Message, message
from tests.support.service.command import sms_bridge
from tests.support.service.fleet import Fleet

HOUR_MS = 3_600_000
LARGE = {f"note-{number}": secrets.token_hex(250) for number in range(20)}
"""Metadata that compression leaves large."""

BRIEF = {"DEXATEL__GIVE_UP_AFTER": "8s"}


async def test_event_too_large_for_its_topic(fleet: Fleet, client: httpx.AsyncClient) -> None:
    """An event that its topic refuses, of a report or a deadline, becomes a dead letter; all others are published."""
    async with (
        fleet.topics() as topics,
        fleet.running({**topics.settings, **CALLBACKS_ONLY, "TOPICS__JOURNAL_PARTITIONS": "1", **BRIEF}) as service,
    ):
        bridge = Bridge(service, topics, client, SECRETS)
        large, silent, small = message(), message(), [message() for _ in range(30)]
        for one in (large, silent):
            await bridge.send_and_wait(one, metadata=LARGE)
        await topics.publish_all([one.sent() for one in small])
        await topics.wait_until(lambda: len(topics.entries) == len(small) + 2, "all are followed")
        await topics.wait_until_folded()
        await set_config(topics, topics.delivery, "max.message.bytes", "5000")
        for one in (*small[:10], large, *small[10:20]):
            await bridge.report_all(one, "delivered")
        letter = await bridge.wait_for_dead_letter(reason="too_large", provider="dexatel")
        assert large.provider_message_id.encode() in (letter.value or b"")
        assert "MessageSizeTooLarge" in letter.headers["error"]
        for one in small[:20]:
            assert (await bridge.wait_for_final(one))["status"] == "delivered"
        for one in small[20:]:
            assert (await bridge.wait_for_final(one))["status"] == "unknown"
        await topics.wait_until(lambda: len(topics.dead_letters) == 3, "the deadlines' dead letters")
        assert {letter.headers["reason"] for letter in topics.dead_letters} == {"too_large"}
        assert not bridge.story(large)
        assert not bridge.story(silent)


async def test_sent_event_too_large_for_a_small_topic(fleet: Fleet, client: httpx.AsyncClient) -> None:
    """The intake knows what the topics take, and leaves metadata out; batches stay below it as well."""
    async with fleet.topics() as topics:
        small_messages = {"max.message.bytes": "8000"}
        await topics.create([topics.journal], 4, small_messages)
        await topics.create([topics.state], 4, {**small_messages, "cleanup.policy": "compact"})
        await topics.create([topics.delivery], 3, small_messages)
        async with fleet.running({**topics.settings, **CALLBACKS_ONLY}) as service:
            bridge = Bridge(service, topics, client, SECRETS)
            large, small = message(), [message() for _ in range(200)]
            await topics.publish_all([large.sent(metadata=LARGE), *(one.sent() for one in small)])
            for one in (large, *small):
                await bridge.report_all(one, "delivered")
            assert (await bridge.wait_for_final(large))["metadata"] == {}
            for one in small:
                assert (await bridge.wait_for_final(one))["status"] == "delivered"
            assert "topics take only small messages" in service.log
            assert "restarting partition worker" not in service.log
            said = await sms_bridge({**topics.settings, **CALLBACKS_ONLY}, "check", "--json")
            warned = [x["subject"] for x in said.document["findings"] if "max.message.bytes=8000" in x["told"]]
            assert {*warned} == {topics.journal, topics.state, topics.delivery}


async def test_report_from_the_future(fleet: Fleet, client: httpx.AsyncClient) -> None:
    """A receiver's clock that is hours ahead stops nothing: the event's record has the journal's time."""
    async with fleet.topics() as topics, fleet.running({**topics.settings, **CALLBACKS_ONLY}) as service:
        bridge, one, before = Bridge(service, topics, client, SECRETS), message(), now_ms()
        await bridge.send_and_wait(one)
        await _write_report(topics.settings["KAFKA__BOOTSTRAP_SERVERS"], topics.journal, one, now_ms() + 2 * HOUR_MS)
        event = await bridge.wait_for_final(one)
        assert event["status"] == "delivered"
        assert event.document["observed_at"] > format_rfc3339(now_ms() + HOUR_MS)
        assert before - 1_000 <= event.timestamp <= now_ms()


async def test_old_report_on_a_topic_that_takes_only_new_ones(fleet: Fleet, client: httpx.AsyncClient) -> None:
    """A report that was observed long ago, such as a replayed one, is published with a time that the topic takes."""
    async with fleet.topics() as topics:
        await topics.create([topics.delivery], 3, {"message.timestamp.before.max.ms": str(HOUR_MS)})
        async with fleet.running({**topics.settings, **CALLBACKS_ONLY}) as service:
            bridge, one = Bridge(service, topics, client, SECRETS), message()
            await bridge.send_and_wait(one)
            await _write_report(
                topics.settings["KAFKA__BOOTSTRAP_SERVERS"], topics.journal, one, now_ms() - 48 * HOUR_MS
            )
            event = await bridge.wait_for_final(one)
            assert now_ms() - HOUR_MS < event.timestamp < now_ms()


@pytest.mark.parametrize("which", ["journal", "dead_letter"])
async def test_limit_that_is_lowered_meanwhile(fleet: Fleet, client: httpx.AsyncClient, which: str) -> None:
    """The process ends with one line, and the next one goes by what the topic takes now."""
    async with fleet.topics() as topics:
        service = fleet.service({**topics.settings, **CALLBACKS_ONLY})
        await service.start()
        bridge = Bridge(service, topics, client, SECRETS)
        await bridge.send_and_wait()
        await set_config(topics, getattr(topics, which), "max.message.bytes", "20000")
        large, one = message(), message()
        await topics.publish({**large.sent(metadata=LARGE), "recipient": None, "provider": "nobody"})
        await topics.publish(large.sent(metadata={**LARGE, **{f"{name}-2": text for name, text in LARGE.items()}}))

        async def has_ended() -> bool:
            return not service.running

        await topics.wait_until_async(has_ended, "the process ends")
        assert "what the topics take has changed" in service.tail(1)
        await service.start()
        await bridge.send(one)
        await bridge.report_all(one, "delivered")
        assert (await bridge.wait_for_final(one))["status"] == "delivered"
        await topics.wait_until(lambda: len(topics.dead_letters) >= 1, "the dead letters")
        assert await service.stop() == 0


@pytest.mark.parametrize("which", ["journal", "dead_letter"])
async def test_compacted_topic_is_refused(fleet: Fleet, which: str) -> None:
    """The start ends with one line that names the topic and the remedy, and `check` says the same."""
    async with fleet.topics() as topics:
        name = getattr(topics, which)
        await topics.create([name], 4, {"cleanup.policy": "compact"})
        settings = {**topics.settings, **CALLBACKS_ONLY}
        said = await sms_bridge(settings, "run")
        assert said.code != 0
        assert f"{name} is compacted" in said.err
        assert "set its cleanup.policy to delete" in said.err
        checked = await sms_bridge(settings, "check", "--json")
        assert name in [x["subject"] for x in checked.document["findings"] if x["level"] == "wrong"]


async def _write_report(servers: str, journal: str, one: Message, observed_at: int) -> None:
    """Write a final report to the journal, as a receiver with another clock would."""
    report = Report(
        *one.attempt,
        status=Status.DELIVERED,
        reason=Reason.NONE,
        permanent=None,
        provider_status="delivered",
        provider_code=None,
        provider_details={},
        provider_time=None,
        source=Source.CALLBACK,
        observed_at=observed_at,
        raw="status=delivered",
    )
    key = report.key.encode()
    producer = await clients_of(servers).producer()
    try:
        pending = await send_batches(producer, [Record(journal, partition_for(key, 4), key, encode_entry(report))])
        for future, _ in pending:
            await future
    finally:
        await producer.stop()
