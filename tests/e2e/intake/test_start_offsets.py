"""Where sent events are read from: partitions that appear later, topics that are created again, odd timestamps."""

import asyncio
import time

import httpx
import pytest
from confluent_kafka.admin import NewPartitions  # type: ignore[attr-defined]  # it means to export it

from tests.support.service.accounts import CALLBACKS_ONLY, SECRETS
from tests.support.service.bridge import Bridge, Message, message
from tests.support.service.fleet import Fleet
from tests.support.service.topics import Topics
from tests.support.waiting import wait_until

pytestmark = pytest.mark.long

LATEST = {**CALLBACKS_ONLY, "SENT__START": "latest"}


async def publish_in_each(topics: Topics, partitions: int, at: int | None = None) -> list[Message]:
    """Publish messages until every partition has one, and return all."""
    messages: list[Message] = []
    filled: set[int] = set()
    while len(filled) < partitions:
        messages.append(message())
        sent = await topics.publish(messages[-1].sent(), key=messages[-1].message_id, at=at)
        filled.add(sent.partition)
    return messages


async def wait_until_followed(topics: Topics, messages: list[Message]) -> None:
    """Wait until the journal has all of these messages."""
    wanted = {one.message_id for one in messages}

    def is_followed() -> bool:
        return wanted <= {entry.document.get("message_id") for entry in topics.entries}

    await topics.wait_until(is_followed, "the journal has all sent events", 120)


async def settle(topics: Topics) -> None:
    """Wait until the bridge has chosen its start, and committed an offset in every partition."""

    async def is_settled() -> bool:
        await publish_in_each(topics, 2)
        return len(await topics.fetch_committed("intake")) == len(topics.sent) * 2

    await wait_until(is_settled, 60, lambda: "the intake commits nothing")


async def test_added_partition_is_read_from_its_start(fleet: Fleet) -> None:
    """With START=latest, too: what is already in the new partition when it is found belongs to the bridge."""
    async with fleet.topics() as topics:
        async with fleet.running({**topics.settings, **LATEST}):
            await settle(topics)
        [grown] = topics.admin.create_partitions([NewPartitions(topics.sent[0], 4)]).values()
        await asyncio.wrap_future(grown)
        topics.reconnect_sender()
        messages = await publish_in_each(topics, 4)
        async with fleet.running({**topics.settings, **LATEST}):
            await wait_until_followed(topics, messages)


async def test_first_start_at_the_end_skips_what_is_there(fleet: Fleet) -> None:
    """START=latest, and a restart doesn't mistake unread partitions for added ones."""
    async with fleet.topics() as topics:
        skipped = await publish_in_each(topics, 2)
        async with fleet.running({**topics.settings, **LATEST}):
            await settle(topics)
        async with fleet.running({**topics.settings, **LATEST}):
            await wait_until_followed(topics, await publish_in_each(topics, 2))
        assert not {one.message_id for one in skipped} & {entry.document.get("message_id") for entry in topics.entries}


async def test_topic_that_is_created_again_is_read(fleet: Fleet, client: httpx.AsyncClient) -> None:
    """While the bridge runs, and from its beginning."""
    async with fleet.topics() as topics, fleet.running({**topics.settings, **LATEST}) as service:
        bridge = Bridge(service, topics, client, SECRETS)
        await settle(topics)
        [deleted] = topics.admin.delete_topics(topics.sent).values()
        await asyncio.wrap_future(deleted)
        await topics.create_again()
        one = message()
        await topics.publish(one.sent())
        await wait_until_followed(topics, [one])
        await bridge.report_all(one, "delivered")
        await bridge.events(one)


@pytest.mark.parametrize("at", [round(time.time()), 0], ids=["seconds", "none"])
async def test_odd_timestamps_skip_nothing(fleet: Fleet, at: int) -> None:
    """Records whose timestamps are in seconds, or none, are not taken for old ones at the first start."""
    async with fleet.topics() as topics:
        messages = await publish_in_each(topics, 2, at)
        async with fleet.running({**topics.settings, **CALLBACKS_ONLY}):
            await wait_until_followed(topics, messages)


async def test_roles_start_in_any_order(fleet: Fleet, client: httpx.AsyncClient) -> None:
    """Intake and receiver come first on a new cluster, take entries, and the tracker finds all of them."""
    async with (
        fleet.topics() as topics,
        fleet.running({**topics.settings, **CALLBACKS_ONLY}, "intake,receive") as first,
    ):
        messages = await publish_in_each(topics, 2)
        bridge = Bridge(first, topics, client, SECRETS)
        for one in messages:
            await bridge.report_all(one, "delivered")
        await wait_until_followed(topics, messages)
        async with fleet.running({**topics.settings, **CALLBACKS_ONLY}, "track,poll"):
            for one in messages:
                await bridge.events(one)
