"""Many due messages at once are read from the provider's list; the others are polled individually."""

import time

from bridge.sandbox.simulator.fault_profiles import CALM
from bridge.sandbox.simulator.options import TOKEN, SimulatorOptions
from bridge.sandbox.simulator.server import Simulator
from tests.support.service.bridge import message
from tests.support.service.fleet import Fleet

COUNT = 300
SETTINGS = {
    "DEXATEL__API": "v1",
    "DEXATEL__TOKEN": TOKEN,
    "DEXATEL__POLL": "1s,3s,5s,9s",
    "DEXATEL__RATE_PER_SECOND": "200",
    "DEXATEL__GIVE_UP_AFTER": "2h",
}


async def test_backlog_is_read_from_the_list(fleet: Fleet) -> None:
    """A few pages replace hundreds of polls; a message that isn't in the list is polled individually."""
    ids = [message() for _ in range(COUNT)]
    strange = message()
    async with Simulator("dexatel", SimulatorOptions(profile=CALM)) as provider, fleet.topics() as topics:
        for one in ids:
            provider.submit(one.provider_message_id, time.time() - 60)
        settings = {**topics.settings, **SETTINGS, "DEXATEL__BASE_URL": provider.url}
        await topics.publish_all([one.sent() for one in [*ids, strange]])
        # Polling starts later, so that all polls are due together.
        async with fleet.running(settings, "intake,track") as quiet:

            async def followed() -> bool:
                return await quiet.read_sample('sms_bridge_attempts_followed{provider="dexatel"}') == COUNT + 1

            await topics.wait_until_async(followed, "all are followed", 60)
        async with fleet.running(settings) as service:
            await topics.wait_until(
                lambda: sum(event.document["final"] for event in topics.events) >= COUNT, "all end", 60
            )
            await topics.wait_until(lambda: provider.counters["poll_no_report"] > 0, "the other is asked about")
            found = {event.document["provider_message_id"]: event for event in topics.events}
            assert set(found) == {one.provider_message_id for one in ids}
            for name, event in found.items():
                assert event["status"] == provider.scenarios[name].expected
                assert event["source"] == "poll"
            # How many partitions are ready at the first page varies; a message found in a page isn't polled again.
            assert provider.counters["page_report"] >= 1
            asked = provider.counters["poll_report"]
            assert asked < COUNT, provider.counters
            assert await service.read_sample('sms_bridge_circuit_open{account="default",provider="dexatel"}') == 0


async def test_fallback_to_single_polls(fleet: Fleet) -> None:
    """If the list is rate-limited or missing, every message is polled individually."""
    ids = [message() for _ in range(60)]
    async with (
        Simulator("dexatel", SimulatorOptions(profile=CALM, pages_per_second=0.001)) as provider,
        fleet.topics() as topics,
    ):
        for one in ids:
            provider.submit(one.provider_message_id, time.time() - 60)
        settings = {**topics.settings, **SETTINGS, "DEXATEL__BASE_URL": provider.url}
        provider.submit("taken", time.time())
        await topics.publish_all([one.sent() for one in ids])
        async with fleet.running(settings):
            await topics.wait_until(
                lambda: sum(event.document["final"] for event in topics.events) >= 60, "all end", 60
            )
        assert {event["source"] for event in topics.events} == {"poll"}
