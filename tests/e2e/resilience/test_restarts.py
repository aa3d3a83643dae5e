"""After the loss of a process, its disk or its offsets, each message continues and nothing is repeated."""

import asyncio
import shutil
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import httpx
import pytest
from aiokafka import TopicPartition

from tests.support.kafka.clients import clients_of
from tests.support.kafka.topics import partitions_of
from tests.support.service.accounts import CALLBACKS_ONLY, SECRETS
from tests.support.service.bridge import Bridge, Message, message
from tests.support.service.fleet import Fleet
from tests.support.service.topics import Topics

pytestmark = pytest.mark.long


@asynccontextmanager
async def running(fleet: Fleet, client: httpx.AsyncClient, topics: Topics) -> AsyncIterator[Bridge]:
    """A bridge that only receives callbacks."""
    async with fleet.running({**topics.settings, **CALLBACKS_ONLY}) as service:
        yield Bridge(service, topics, client, SECRETS)


async def test_lost_disk(fleet: Fleet, client: httpx.AsyncClient) -> None:
    """Without its state folder the bridge rebuilds its state; duplicates are still recognised."""
    async with fleet.topics() as topics, running(fleet, client, topics) as bridge:
        under_way, over, early = [await bridge.send() for _ in range(20)], await bridge.send(), message()
        for one in under_way:
            await bridge.report_all(one, "pending")
        await bridge.report_all(over, "failed")
        await bridge.report_all(early, "sent")
        await topics.wait_until_folded()
        assert await bridge.service.stop() == 0
        await asyncio.to_thread(shutil.rmtree, bridge.service.state)
        await bridge.service.start()
        for one in under_way:
            await bridge.report_all(one, "pending")
        assert await bridge.service.read_sample("sms_bridge_restore_duration_count") >= 1
        await bridge.report_all(over, "failed")
        await topics.wait_until_folded()
        assert len(topics.events) == 21
        for one in under_way:
            await bridge.report_all(one, "sent", "delivered")
        await bridge.report_all(over, "delivered")
        await bridge.send(early)
        await topics.wait_until_folded()
        for one in under_way:
            assert [e["status"] for e in await bridge.events(one, 3)] == ["pending", "sent", "delivered"]
        assert [e["status"] for e in await bridge.events(over, 2)] == ["failed", "delivered"]
        assert [e["status"] for e in await bridge.events(early)] == ["sent"]


async def test_damaged_disk(fleet: Fleet, client: httpx.AsyncClient) -> None:
    """Unreadable files are discarded and rebuilt; no message starts again."""
    async with fleet.topics() as topics, running(fleet, client, topics) as bridge:
        one = await bridge.send()
        await bridge.report_all(one, "pending")
        await topics.wait_until_folded()
        await bridge.service.stop()
        for file in [path for path in bridge.service.state.rglob("*") if path.is_file()]:
            file.write_bytes(b"garbage")
        await bridge.service.start()
        await bridge.report_all(one, "pending", "delivered")
        await topics.wait_until_folded()
        assert [e["status"] for e in await bridge.events(one, 2)] == ["pending", "delivered"]


async def test_state_damaged_while_running_is_rebuilt(fleet: Fleet, client: httpx.AsyncClient) -> None:
    """The process keeps running and accepting callbacks while it rebuilds the state."""
    async with fleet.topics() as topics, running(fleet, client, topics) as bridge:
        messages = [message() for _ in range(50)]
        await topics.publish_all([one.sent() for one in messages])
        for one in messages:
            await bridge.report_all(one, "pending")
        await topics.wait_until_folded()
        await bridge.service.stop()
        await bridge.service.start()

        async def restored() -> bool:
            return await bridge.service.read_sample("sms_bridge_restore_duration_count") == 4

        await topics.wait_until_async(restored, "every partition's states lie in files")
        for file in bridge.service.state.rglob("*.sst"):
            file.write_bytes(b"\0" * file.stat().st_size)
        for one in messages:
            await bridge.report_all(one, "pending", "delivered")
        for one in messages:
            assert [e["status"] for e in await bridge.events(one, 2)] == ["pending", "delivered"]
        assert bridge.service.running
        if not list(bridge.service.state.glob("*.damaged")):  # cached blocks may have answered everything
            await bridge.service.stop()
            await bridge.service.start()
            for one in messages:
                await bridge.report_all(one, "delivered")
            await topics.wait_until(lambda: any(bridge.service.state.glob("*.damaged")), "the damage is noticed")


async def test_rewound_sent_topic_publishes_nothing(fleet: Fleet, client: httpx.AsyncClient) -> None:
    """Known sent events that are read again change nothing."""
    async with fleet.topics() as topics, running(fleet, client, topics) as bridge:
        messages = [message() for _ in range(50)]
        await topics.publish_all([one.sent() for one in messages])
        for one in messages[:25]:
            await bridge.report_all(one, "delivered")
        await topics.wait_until_folded()
        before = len(topics.events)
        assert before == 25
        await bridge.service.stop()
        await topics.rewind()
        await bridge.service.start()
        again = len(messages)
        await topics.wait_until(
            lambda: sum(e["type"] == "sent" for e in topics.entries) == 2 * again, "the journal has each sent twice"
        )
        await topics.wait_until_folded()
        assert len(topics.events) == before
        assert not topics.dead_letters
        for one in messages[25:]:
            await bridge.report_all(one, "delivered")
            await bridge.events(one)


async def test_no_second_life_after_a_longer_deadline(fleet: Fleet, client: httpx.AsyncClient) -> None:
    """Messages that ended and were forgotten aren't followed again, when the deadline is raised and all is reread."""
    async with fleet.topics() as topics:
        brief = {**CALLBACKS_ONLY, **topics.settings, "DEXATEL__GIVE_UP_AFTER": "3s", "FOLLOW__REMEMBER_FOR": "1s"}
        async with fleet.running(brief) as service:
            bridge = Bridge(service, topics, client, SECRETS)
            ended = [message() for _ in range(5)]  # not earlier: a start may take longer than the deadline
            await topics.publish_all([one.sent() for one in ended])
            await bridge.report_all(ended[0], "delivered")
            for one in ended:
                await bridge.wait_for_final(one)
            await _wait_until_forgotten(topics, ended)
        await topics.rewind()
        async with fleet.running({**brief, "DEXATEL__GIVE_UP_AFTER": "1h"}) as service:
            bridge, fresh = Bridge(service, topics, client, SECRETS), message()
            await bridge.send(fresh)
            await topics.wait_until(lambda: len(topics.dead_letters) == len(ended), "the old ones are refused")
            assert {letter.headers["reason"] for letter in topics.dead_letters} == {"too_old"}
            for one in (*ended, fresh):
                await bridge.report_all(one, "delivered")
            await bridge.wait_for_final(fresh)
            await topics.wait_until_folded()
            assert len(topics.events) == len(ended) + 1


async def _wait_until_forgotten(topics: Topics, messages: Sequence[Message]) -> None:
    """Read the state topic until it has a tombstone of each of these attempts."""
    missing = {":".join(one.attempt).encode() for one in messages}
    consumer = await clients_of(topics.settings["KAFKA__BOOTSTRAP_SERVERS"]).reader(committed=True)
    try:
        tps = [TopicPartition(topics.state, number) for number in range(await partitions_of(topics, topics.state))]
        consumer.assign(tps)
        await consumer.seek_to_beginning()
        async with asyncio.timeout(60):
            while missing:
                for records in (await consumer.getmany(timeout_ms=500)).values():
                    missing -= {record.key for record in records if record.value is None}
    finally:
        await consumer.stop()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_shutdown_loses_no_callback(fleet: Fleet, client: httpx.AsyncClient, number: signal.Signals) -> None:
    """Every callback that got a 200 during shutdown is in the journal, and the exit code is 0."""
    async with fleet.topics() as topics, running(fleet, client, topics) as bridge:
        messages = [message() for _ in range(600)]
        accepted: list[Message] = []

        async def call(batch: list[Message]) -> None:
            for one in batch:
                try:
                    if await bridge.report(one, "delivered") == 200:
                        accepted.append(one)
                except httpx.TransportError:
                    return

        calls = [asyncio.create_task(call(messages[start::20])) for start in range(20)]

        async def some() -> bool:
            return len(accepted) >= 100

        await topics.wait_until_async(some, "some callbacks are accepted")
        bridge.service.signal(number)
        assert await bridge.service.wait_until_ended(within=20) == 0
        await asyncio.gather(*calls)
        assert 100 <= len(accepted) < len(messages)

        def journaled() -> set[str]:
            return {entry.document["provider_message_id"] for entry in topics.entries}

        wanted = {one.provider_message_id for one in accepted}
        await topics.wait_until(lambda: wanted <= journaled(), "the journal has all that was accepted")
        assert '"stopped"' in bridge.service.log


async def test_roles_in_separate_processes(fleet: Fleet, client: httpx.AsyncClient) -> None:
    """Processes for intake, callbacks, and tracking with polling work together like one bridge."""
    async with fleet.topics() as topics, AsyncExitStack() as stack:
        settings = {**topics.settings, **CALLBACKS_ONLY}
        tracker = await stack.enter_async_context(fleet.running(settings, "track,poll"))
        intake = await stack.enter_async_context(fleet.running(settings, "intake"))
        receiver = await stack.enter_async_context(fleet.running(settings, "receive"))
        bridge = Bridge(receiver, topics, client, SECRETS)
        one = await bridge.send_and_wait()
        await bridge.report_all(one, "sent", "delivered")
        assert [e["status"] for e in await bridge.events(one, 2)] == ["sent", "delivered"]
        for other in (tracker, intake):
            with pytest.raises(httpx.ConnectError):
                await client.get(f"{other.url}/dlr/dexatel/{SECRETS['dexatel', 'default']}")
        assert (
            await receiver.read_sample('sms_bridge_callbacks_received_total{outcome="journaled",provider="dexatel"}')
            == 2
        )
        assert await intake.read_sample('sms_bridge_sent_accepted_total{provider="dexatel"}') == 1
        assert await tracker.read_sample("sms_bridge_partitions_assigned") == 4


async def test_replicas_share_the_work(fleet: Fleet, client: httpx.AsyncClient) -> None:
    """A second replica takes half of the partitions; when one leaves, the other takes all."""
    async with fleet.topics() as topics, running(fleet, client, topics) as bridge:
        async with running(fleet, client, topics) as other:

            async def shared() -> bool:
                counts = [await b.service.read_sample("sms_bridge_partitions_assigned") for b in (bridge, other)]
                return counts == [2, 2]

            await topics.wait_until_async(shared, "two partitions each")
            messages = [await bridge.send() for _ in range(12)]
            for one in messages:
                await bridge.report_all(one, "sent")
                await other.report_all(one, "sent")
        for one in messages:
            await bridge.report_all(one, "delivered")
        for one in messages:
            assert [e["status"] for e in await bridge.events(one, 2)] == ["sent", "delivered"]
        assert await bridge.service.read_sample("sms_bridge_partitions_assigned") == 4
