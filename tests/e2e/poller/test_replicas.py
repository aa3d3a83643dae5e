"""Polling with several replicas, through rebalances and outages."""

import asyncio
import time
from collections.abc import Callable
from itertools import pairwise

import pytest

from tests.support.service.bridge import Message, message
from tests.support.service.fleet import Fleet
from tests.support.service.process import Service
from tests.support.service.providers import TOKEN, Hang, Providers, Reply, dexatel_says
from tests.support.service.topics import Topics

pytestmark = pytest.mark.long


RATE = 40
WINDOW = 5.0
BUNCHED = 1.0
"""Seconds for which a busy machine may hold questions back, to see them come together."""


def settings(url: str, account: str, **more: str) -> dict[str, str]:
    """One polled Dexatel account with its own base URL."""
    given = {"BASE_URL": f"{url}/{account}", "TOKEN": TOKEN, "POLL_PATH": "/dlr/{id}", **more}
    return {f"DEXATEL__{name}": value for name, value in given.items()}


async def shared(topics: Topics, *services: Service) -> None:
    """Return when these replicas own all partitions, and each owns some."""

    async def are() -> bool:
        owned = [await service.read_sample("sms_bridge_partitions_assigned") for service in services]
        return sum(owned) == 4 and all(owned)

    await topics.wait_until_async(are, "every replica has its partitions", 60)


async def passed(topics: Topics, moment: float) -> None:
    """Return at this time of the event loop."""
    now: Callable[[], float] = asyncio.get_running_loop().time
    await topics.wait_until(lambda: now() >= moment, "time goes by", moment - now() + 60)


async def test_rate_limit_holds_across_replicas(fleet: Fleet, providers: Providers) -> None:
    """One process, two, and one again keep the account's rate, measured by the provider."""
    polled = settings(
        providers.url,
        "dexatel-shared",
        POLL=",".join(f"{age}s" for age in range(1, 120)),
        RATE_PER_SECOND=str(RATE),
        POLL_CONCURRENCY="64",
        GIVE_UP_AFTER="1h",
    )
    now = asyncio.get_running_loop().time
    steady = list[tuple[float, float]]()
    async with fleet.topics() as topics:
        given = {**topics.settings, **polled}

        async def for_a_window(*services: Service) -> None:
            await shared(topics, *services)
            begun = now() + 1
            await passed(topics, begun + WINDOW)
            steady.append((begun, begun + WINDOW))

        async with fleet.running(given) as first:
            await topics.publish_all([message().sent() for _ in range(10 * RATE)])
            await topics.wait_until(lambda: bool(asked(providers)), "it asks")
            started = now() + 1
            await for_a_window(first)
            async with fleet.running(given) as second:
                await for_a_window(first, second)
            await for_a_window(first)
            ended = now()
    times = asked(providers)
    for begin, end in steady:
        count = sum(begin <= at < end for at in times)
        assert 0.5 * RATE * WINDOW < count <= 1.05 * RATE * (WINDOW + BUNCHED)
    assert sum(started <= at < ended for at in times) <= 1.05 * RATE * (ended - started + BUNCHED)
    for number, at in enumerate(times):
        assert sum(at <= later < at + WINDOW for later in times[number:]) <= 1.05 * RATE * (WINDOW + BUNCHED)


def asked(providers: Providers) -> list[float]:
    """Return the times of the account's polls."""
    return sorted(one.at for one in providers.asked if one.account == "dexatel-shared")


async def test_outage_longer_than_the_schedule(fleet: Fleet, providers: Providers) -> None:
    """The provider fails from before the first poll until after the last; its report is still found."""
    polled = settings(
        providers.url, "dexatel-away", POLL="1s,2s", RATE_PER_SECOND="100", GIVE_UP_AFTER="8s", POLL_TIMEOUT="1s"
    )
    providers.gate("dexatel-away", Reply(b"", 503))
    messages: list[Message] = []
    async with fleet.topics() as topics, fleet.running({**topics.settings, **polled}) as service:
        messages = [message() for _ in range(60)]
        for one in messages:
            providers.script(one.provider_message_id, [dexatel_says("delivered")])
        sent = time.monotonic()
        await topics.publish_all([one.sent() for one in messages])
        await topics.wait_until(lambda: time.monotonic() > sent + 10, "every end passes")
        assert not topics.events
        failed = 'sms_bridge_polls_completed_total{outcome="failed",provider="dexatel"}'
        assert (
            5 <= await service.read_sample(failed) < 40
        )  # the circuit opened: not each of them was tried again and again
        providers.gate("dexatel-away", None)
        await topics.wait_until(lambda: len(topics.events) >= len(messages), "all are found", 60)
        assert {event["status"] for event in topics.events} == {"delivered"}
        assert {event["provider_message_id"] for event in topics.events} == {m.provider_message_id for m in messages}


async def test_hanging_provider_gets_one_probe(fleet: Fleet, providers: Providers) -> None:
    """While the circuit is open, due messages cause only one poll at a time."""
    polled = settings(
        providers.url, "dexatel-hung", POLL="1s", RATE_PER_SECOND="100", POLL_TIMEOUT="500ms", POLL_CONCURRENCY="8"
    )
    providers.gate("dexatel-hung", Hang())

    def asked_at() -> list[float]:
        return [one.at for one in providers.asked if one.account == "dexatel-hung"]

    async with fleet.topics() as topics, fleet.running({**topics.settings, **polled}) as service:
        messages = [message() for _ in range(40)]
        for one in messages:
            providers.script(one.provider_message_id, [dexatel_says("delivered")])
        await topics.publish_all([one.sent() for one in messages])

        async def is_open() -> bool:
            return await service.read_sample('sms_bridge_circuit_open{account="default",provider="dexatel"}') == 1

        await topics.wait_until_async(is_open, "the circuit opens")
        before = len(asked_at())

        def probes() -> list[float]:
            """Return when it was probed: polls that were under way when the circuit opened come first, together."""
            times = asked_at()[before:]
            together = [earlier for earlier, later in pairwise(times) if later - earlier < 0.45]
            return times[min(len(together), 8) :]

        await topics.wait_until(lambda: len(probes()) >= 3, "it is probed", 60)
        assert all(later - earlier >= 0.45 for earlier, later in pairwise(probes()))
        providers.gate("dexatel-hung", None)
        await topics.wait_until(lambda: len(topics.events) >= len(messages), "all are found", 60)
