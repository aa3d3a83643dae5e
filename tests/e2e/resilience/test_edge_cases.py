"""Rare cases: a suspended process, a spare replica, a deleted topic, a forged address."""

import asyncio
import signal

import httpx
import pytest

from bridge.core.entries import Sent
from bridge.journal.serde import encode_entry
from tests.support.service.accounts import SECRETS, secrets
from tests.support.service.bridge import Bridge, message
from tests.support.service.fleet import Fleet
from tests.support.waiting import wait_until

pytestmark = pytest.mark.long


CALLBACKS_ONLY = {
    "DEXATEL__POLL": "never",
    "SPEEDOCOM__POLL": "never",
    **secrets("dexatel"),
    **secrets("speedocom"),
}


async def test_suspended_process_reads_before_timers(fleet: Fleet, client: httpx.AsyncClient) -> None:
    """Reports that arrived while the tracker was suspended are folded before its expired timers."""
    settings = {**CALLBACKS_ONLY, "DEXATEL__GIVE_UP_AFTER": "4s", "SPEEDOCOM__GIVE_UP_AFTER": "4s"}
    async with (
        fleet.topics() as topics,
        fleet.running({**topics.settings, **settings}, "intake,track") as tracker,
        fleet.running({**topics.settings, **settings}, "receive") as receiver,
    ):
        bridge = Bridge(receiver, topics, client, SECRETS)
        messages = [await bridge.send(message()) for _ in range(20)]

        async def followed() -> bool:
            samples = await tracker.read_samples()
            names = (name for name in samples if name.startswith("sms_bridge_attempts_followed"))
            return sum(samples[name] for name in names) == len(messages)

        await wait_until(followed, 10, tracker.tail)
        tracker.signal(signal.SIGSTOP)
        for one in messages:
            await bridge.report_all(one, "delivered")
        await asyncio.sleep(5)  # longer than the attempts' end, shorter than the group's patience
        tracker.signal(signal.SIGCONT)
        for one in messages:
            assert [event["status"] for event in await bridge.events(one)] == ["delivered"]
        await topics.wait_until_folded()
        assert len(topics.events) == len(messages)


async def test_spare_replica_takes_over(fleet: Fleet, client: httpx.AsyncClient) -> None:
    """A replica without partitions is ready and takes over when another is killed."""
    async with fleet.topics() as topics:
        settings = {**topics.settings, **CALLBACKS_ONLY, "TOPICS__JOURNAL_PARTITIONS": "1"}
        async with fleet.running(settings, "track") as first, fleet.running(settings) as second:
            bridge = Bridge(second, topics, client, SECRETS)
            one = await bridge.send()
            await bridge.report_all(one, "pending")
            await bridge.events(one)
            await first.kill()
            await bridge.report_all(one, "delivered")
            events = await bridge.events(one, 2)
            assert [event["status"] for event in events] == ["pending", "delivered"]
            await first.start()


async def test_missing_original_stops_nothing(fleet: Fleet, client: httpx.AsyncClient) -> None:
    """If a dead letter's original can't be read any more, the dead letter is written without it."""
    async with fleet.topics() as topics:
        settings = {**topics.settings, **CALLBACKS_ONLY, "TOPICS__JOURNAL_PARTITIONS": "1"}
        async with fleet.running(settings) as service:
            bridge = Bridge(service, topics, client, SECRETS)
            gone = Sent("m-gone", "dexatel", "default", "p-gone", 1_000, 1_000, 2_000, origin=("gone.topic", 0, 5))
            await topics.publish(encode_entry(gone), key="dexatel:default:p-gone", topic=settings["TOPICS__JOURNAL"])
            letter = await bridge.wait_for_dead_letter(reason="too_old", source_topic="gone.topic")
            assert letter.value == encode_entry(gone), "the journal has what the topic has no more"
            one = await bridge.send()
            await bridge.report_all(one, "delivered")
            await bridge.events(one)


@pytest.mark.parametrize(("nearest", "status"), [("192.0.2.7", 200), ("203.0.113.66", 403)])
async def test_forwarded_address_is_not_forged(
    fleet: Fleet, client: httpx.AsyncClient, nearest: str, status: int
) -> None:
    """Of several X-Forwarded-For lines only the proxy's, the last one, counts."""
    async with fleet.topics() as topics:
        settings = {
            **topics.settings,
            **CALLBACKS_ONLY,
            "HTTP__TRUSTED_PROXIES": "127.0.0.0/8",
            "DEXATEL__ALLOWED_NETWORKS": "192.0.2.0/24",
        }
        async with fleet.running(settings, "receive") as service:
            bridge = Bridge(service, topics, client, SECRETS)
            lines = [("x-forwarded-for", "192.0.2.7"), ("x-forwarded-for", nearest)]
            url = f"{bridge.url('dexatel')}?id=1&status=sent"
            assert (await client.get(url, headers=lines)).status_code == status
