"""A bridge that has lost its group, and nothing else, leaves its partitions to their new owner."""

import asyncio

import httpx
import pytest

from tests.chaos.cluster import Cluster
from tests.support.service.accounts import CALLBACKS_ONLY, SECRETS
from tests.support.service.bridge import Bridge, Message
from tests.support.service.fleet import Fleet
from tests.support.service.process import Service
from tests.support.waiting import wait_until

pytestmark = pytest.mark.long

FENCED = 'sms_bridge_workers_restarted_total{cause="fenced"}'
ASSIGNED = "sms_bridge_partitions_assigned"
PARTITIONS = 4


async def count_fenced(service: Service) -> float:
    """Return how often partitions of a service were fenced."""
    return (await service.read_samples()).get(FENCED, 0)


async def report_new(bridge: Bridge) -> Message:
    """Send a message, and report that it was delivered."""
    one = await bridge.send()
    await bridge.report_all(one, "delivered")
    return one


@pytest.mark.timeout(300)
async def test_owner_isnt_fenced_by_a_zombie(fleet: Fleet, client: httpx.AsyncClient) -> None:
    """The zombie's heartbeats get no answer, so it doesn't know; each of its partitions is fenced once, no other is."""
    async with Cluster(1) as cluster, fleet.topics(bootstrap_servers=cluster.servers) as topics:
        zombies = {**topics.settings, **CALLBACKS_ONLY, "KAFKA__BOOTSTRAP_SERVERS": cluster.servers_for(0)}
        async with fleet.running(zombies) as zombie:
            bridge = Bridge(zombie, topics, client, SECRETS)
            await bridge.report_all(await bridge.send_and_wait(), "sent")
            async with fleet.running({**topics.settings, **CALLBACKS_ONLY}) as owner:
                bridge = Bridge(owner, topics, client, SECRETS)
                for wire in cluster.wires[0]:
                    wire.drops_membership = True

                async def owns_all() -> bool:
                    return await owner.read_sample(ASSIGNED) == PARTITIONS and await owner.is_ready()

                await wait_until(owns_all, 60, lambda: f"no takeover:\n{owner.tail()}")

                async def is_fenced() -> bool:
                    await bridge.events(await report_new(bridge), 1)
                    return await count_fenced(zombie) > 0

                await wait_until(is_fenced, 60, lambda: f"the zombie isn't fenced:\n{zombie.tail()}")
                for _ in range(40):  # several times as long as a fenced worker pauses
                    await bridge.events(await report_new(bridge), 1)
                    await asyncio.sleep(0.1)
                assert await count_fenced(owner) == 0
                assert await count_fenced(zombie) <= PARTITIONS
                for wire in cluster.wires[0]:
                    wire.restore()

                async def shares() -> bool:
                    return 0 < await zombie.read_sample(ASSIGNED) < PARTITIONS and await zombie.is_ready()

                await wait_until(shares, 60, lambda: f"it doesn't come back:\n{zombie.tail()}")
                await bridge.events(await report_new(bridge), 1)
