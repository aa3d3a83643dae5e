"""A tracker keeps the caches of other trackers' partitions: a takeover reads only what is new."""

import httpx
import pytest

from tests.support.service.accounts import CALLBACKS_ONLY, SECRETS
from tests.support.service.bridge import Bridge
from tests.support.service.fleet import Fleet
from tests.support.service.process import Service
from tests.support.service.topics import Topics
from tests.support.waiting import wait_until

pytestmark = pytest.mark.long

PARTITIONS = 4
ASSIGNED = "sms_bridge_partitions_assigned"
REMAINING = "sms_bridge_standby_entries_remaining"


async def wait_until_warm(topics: Topics, service: Service) -> None:
    """Wait until a service owns half of the partitions, and has read all states of the others."""

    async def is_warm() -> bool:
        samples = await service.read_samples()
        behind = [value for name, value in samples.items() if name.startswith(REMAINING)]
        # Each cache ends with a transaction's marker, which is read with the next state.
        return samples.get(ASSIGNED) == len(behind) == PARTITIONS // 2 and max(behind) <= 1

    await topics.wait_until_folded()
    await wait_until(is_warm, 60, lambda: f"its caches don't follow:\n{service.tail()}")


async def test_takeover_needs_no_rebuild(fleet: Fleet, client: httpx.AsyncClient) -> None:
    """The owner is killed; the other one goes on with what it has, and then the same the other way round."""
    async with fleet.topics() as topics:
        settings = {**topics.settings, **CALLBACKS_ONLY}
        first, second = fleet.service(settings), fleet.service(settings)
        await first.start()
        bridge = Bridge(first, topics, client, SECRETS)
        messages = [await bridge.send() for _ in range(60)]
        for one in messages:
            await bridge.report_all(one, "sent")
        await topics.wait_until_folded()
        await second.start()
        for stays, goes in ((second, first), (first, second)):
            await wait_until_warm(topics, stays)
            began = len(stays.log)  # what it read before, it had to; a killed one may have lost what wasn't flushed
            await goes.kill()

            async def owns_all(stays: Service = stays) -> bool:
                return await stays.read_sample(ASSIGNED) == PARTITIONS

            await wait_until(owns_all, 60, lambda: "no takeover")
            bridge = Bridge(stays, topics, client, SECRETS)
            half, messages = messages[:30], messages[30:]
            for one in half:
                await bridge.report_all(one, "delivered")
            for one in half:
                assert [event["status"] for event in await bridge.events(one, 2)] == ["sent", "delivered"]
            await stays.wait_until_ready()
            assert "rebuilding cache" not in stays.log[began:]
            await goes.start()
        assert await first.stop() == await second.stop() == 0


async def test_standby_can_be_turned_off(fleet: Fleet) -> None:
    """Then only own partitions are cached."""
    async with fleet.topics() as topics:
        settings = {**topics.settings, **CALLBACKS_ONLY, "STATE__STANDBY": "none"}
        async with fleet.running(settings), fleet.running(settings) as service:
            await topics.wait_until_folded()
            assert not [name for name in await service.read_samples() if name.startswith(REMAINING)]
