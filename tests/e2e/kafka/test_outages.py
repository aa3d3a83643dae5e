"""While Kafka is down, callbacks get 503; afterwards everything continues and nothing is lost."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import httpx
import pytest
import pytest_asyncio

from bridge.sandbox.kafka.broker import Sandbox
from tests.support.kafka.proxy import Proxy
from tests.support.service.accounts import CALLBACKS_ONLY, SECRETS
from tests.support.service.bridge import Bridge, Message, message
from tests.support.service.fleet import Fleet
from tests.support.waiting import wait_until

pytestmark = pytest.mark.long


MAX_WAITING = 20
JOURNALED = 'sms_bridge_callbacks_received_total{outcome="journaled",provider="dexatel"}'
PARTS = ("tracker", "intake", "receiver")
UNAVAILABLE = 'sms_bridge_callbacks_received_total{outcome="unavailable",provider="dexatel"}'


class Apart(NamedTuple):
    """A bridge, and the proxy to its own Kafka."""

    bridge: Bridge
    proxy: Proxy
    sandbox: Sandbox


@pytest_asyncio.fixture(scope="module")
async def apart(fleet: Fleet, client: httpx.AsyncClient) -> AsyncIterator[Apart]:
    """A bridge that reaches its own Kafka through a proxy."""
    async with Proxy() as proxy:
        advertised = {"advertised.listeners": f"PLAINTEXT://127.0.0.1:{proxy.port}"}
        async with Sandbox(config=advertised) as sandbox:
            host, _, port = sandbox.bootstrap_servers.partition(":")
            proxy.target = (host, int(port))
            async with fleet.topics(bootstrap_servers=f"127.0.0.1:{proxy.port}") as topics:
                settings = {
                    **topics.settings,
                    **CALLBACKS_ONLY,
                    "HTTP__ACK_TIMEOUT": "1s",
                    "HTTP__MAX_WAITING": str(MAX_WAITING),
                }
                async with fleet.running(settings) as service:
                    yield Apart(Bridge(service, topics, client, SECRETS), proxy, sandbox)


async def told_until_accepted(bridge: Bridge, one: Message, word: str) -> None:
    """Repeat a callback until it is accepted."""

    async def accepted() -> bool:
        return await bridge.report(one, word) == 200

    await wait_until(accepted, 60, lambda: f"the callback is not accepted:\n{bridge.service.tail()}")


async def refused_with_patience(bridge: Bridge, one: Message, word: str) -> float:
    """Send a callback that gets a 503 with Retry-After, and return its duration in seconds."""
    started = time.monotonic()
    query = {"message_uuid": one.provider_message_id, "status": word}
    answer = await bridge.client.get(bridge.url("dexatel"), params=query)
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    return time.monotonic() - started


async def test_start_on_a_new_kafka(apart: Apart) -> None:
    """The bridge starts on a cluster that has never had a consumer group."""
    assert await apart.bridge.service.is_ready()


async def test_network_outage_loses_nothing(apart: Apart) -> None:
    """Callbacks get 503 in time; accepted ones are published, and repeated ones are one event."""
    bridge = apart.bridge
    messages = [await bridge.send_and_wait() for _ in range(5)]
    for one in messages:
        await bridge.report_all(one, "sent")
    apart.proxy.cut()
    for one in messages[:2]:
        assert await refused_with_patience(bridge, one, "delivered") < 3
    assert (await bridge.service.fetch("/livez"))[0] == 200
    apart.proxy.restore()
    for one in messages:
        await told_until_accepted(bridge, one, "delivered")
        await bridge.report_all(one, "delivered")
    later = await bridge.send_and_wait()
    await bridge.report_all(later, "delivered")
    await bridge.events(later)
    await bridge.topics.wait_until_folded()
    for one in messages:
        assert [e["status"] for e in await bridge.events(one, 2)] == ["sent", "delivered"]


async def test_waiting_callbacks_are_limited(apart: Apart) -> None:
    """While Kafka doesn't respond, only a limited number of callbacks wait; the others are refused at once."""
    bridge = apart.bridge
    messages = [await bridge.send_and_wait() for _ in range(MAX_WAITING + 10)]
    before = await bridge.service.read_sample(UNAVAILABLE)
    apart.proxy.freeze()
    waited = await asyncio.gather(*(refused_with_patience(bridge, one, "delivered") for one in messages))
    assert sum(seconds >= 0.9 for seconds in waited) == MAX_WAITING
    assert await refused_with_patience(bridge, messages[0], "delivered") < 0.5
    assert await bridge.service.read_sample(UNAVAILABLE) == before + len(messages) + 1
    apart.proxy.restore()
    for one in messages:
        await told_until_accepted(bridge, one, "delivered")
    await bridge.topics.wait_until_folded()
    for one in messages:
        await bridge.events(one)


@pytest.mark.parametrize("fault", ["frozen", "killed"])
async def test_lost_kafka_is_noticed_while_idle(apart: Apart, fault: str) -> None:
    """Half a minute later every part isn't ready, no lag is claimed, and one line each says so; one, when it ends."""
    bridge, [broker] = apart.bridge, apart.sandbox.brokers
    service = bridge.service
    one = await bridge.send_and_wait()
    await bridge.report_all(one, "sent")
    await bridge.topics.wait_until_folded()
    before = len(service.log)
    await broker.kill() if fault == "killed" else apart.proxy.freeze()

    async def is_noticed() -> bool:
        samples = await service.read_samples()
        lost = all(samples[f'sms_bridge_kafka_connected{{part="{part}"}}'] == 0 for part in PARTS)
        return lost and not [name for name in samples if name.startswith("sms_bridge_journal_lag")]

    await wait_until(is_noticed, 60, lambda: f"nothing is noticed:\n{service.tail()}")
    assert not await service.is_ready()
    assert await service.read_sample("sms_bridge_partitions_silent") == 4
    status, page = await service.fetch("/api/status")
    assert status == 200
    assert {p["state"] for p in json.loads(page)["partitions"]["own"]} == {"no answer"}
    await refused_with_patience(bridge, one, "delivered")
    await broker.start() if fault == "killed" else apart.proxy.restore()
    await service.wait_until_ready()
    await told_until_accepted(bridge, one, "delivered")
    await bridge.events(one, 2)

    def read_lines(event: str) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in service.log[before:].splitlines() if line.startswith("{")]
        return [line for line in lines if line["event"] == event]

    async def is_told() -> bool:
        return len(read_lines("Kafka answers again")) == len(PARTS)

    await wait_until(is_told, 30, lambda: f"its return isn't told:\n{service.tail()}")
    lost, back = read_lines("Kafka doesn't answer"), read_lines("Kafka answers again")
    assert sorted(line["part"] for line in lost) == sorted(line["part"] for line in back) == sorted(PARTS)
    assert all(line["since"] and line["error"] for line in lost)
    assert all(line["seconds"] >= 30 for line in back)
    assert [line.get("callbacks_refused") for line in back if line["part"] == "receiver"] == [1]


async def test_bridge_survives_a_broker_crash(apart: Apart) -> None:
    """The broker is killed during the work and comes back; every callback that got a 200 is published once."""
    bridge, [broker] = apart.bridge, apart.sandbox.brokers
    messages = [message() for _ in range(300)]
    await bridge.topics.publish_all([one.sent() for one in messages])

    async def tell(batch: list[Message]) -> None:
        for one in batch:
            await told_until_accepted(bridge, one, "sent")
            await told_until_accepted(bridge, one, "delivered")

    before = await bridge.service.read_sample(JOURNALED)
    told = asyncio.gather(*(tell(messages[start::10]) for start in range(10)))

    async def some() -> bool:
        return await bridge.service.read_sample(JOURNALED) >= before + 100

    await wait_until(some, 60, lambda: "no callback is taken")
    await broker.kill()
    await refused_with_patience(bridge, messages[0], "pending")
    await broker.start()
    await told
    await bridge.topics.wait_until_folded()
    for one in messages:
        assert [e["status"] for e in await bridge.events(one, 2)] == ["sent", "delivered"]
