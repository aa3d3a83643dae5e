"""A partition that loses its leader or its replicas costs what belongs to it, and nothing else."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import NamedTuple

import httpx
import pytest
import pytest_asyncio
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from bridge.kafka.partitioner import partition_for
from bridge.sandbox.kafka.broker import Sandbox
from tests.support.service.accounts import CALLBACKS_ONLY, SECRETS
from tests.support.service.bridge import Bridge, Message, message
from tests.support.service.fleet import Fleet
from tests.support.service.process import Service
from tests.support.service.topics import Topics
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]

MAX_WAITING = 20
SICK = 0
"""The sick partition of each topic; broker 1 is lost."""

PARTITIONS = 4
HEALTHY = range(1, PARTITIONS)
BELOW_MIN_ISR = {SICK: [2, 1], 1: [2, 3], 2: [3, 2], 3: [2, 3]}
LEADERLESS = {SICK: [1], 1: [2], 2: [3], 3: [2]}
SENT = {SICK: [1], 1: [2]}


class Place(NamedTuple):
    """A bridge on topics of its own."""

    bridge: Bridge
    sent: str
    """The topic of its sent events."""


class Sick(NamedTuple):
    """Two bridges, started while all was well; then their Kafka has lost a broker."""

    below_min_isr: Place
    leaderless: Place
    kafka: str


def make_message(*partitions: int) -> Message:
    """Make a message that belongs to one of these partitions of the journal."""
    while partition_for(":".join((one := message()).attempt).encode(), PARTITIONS) not in partitions:
        pass
    return one


async def create(kafka: str, name: str, replicas: Mapping[int, Sequence[int]], needed: int) -> None:
    """Create a topic on these brokers, the leader first, which needs so many replicas to be written to."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        config = {"min.insync.replicas": str(needed)}
        topic = NewTopic(name, -1, -1, replica_assignments=replicas, topic_configs=config)
        answer = await admin.create_topics([topic])
        assert not any(error[1] for error in answer.topic_errors), answer
    finally:
        await admin.close()


async def start(fleet: Fleet, client: httpx.AsyncClient, topics: Topics, sent: str) -> Place:
    """Start a receiver and an intake."""
    settings = {**topics.settings, **CALLBACKS_ONLY, "TOPICS__SENT": sent, "HTTP__MAX_WAITING": str(MAX_WAITING)}
    service: Service = fleet.service(settings, "receive,intake")
    await service.start()
    return Place(Bridge(service, topics, client, SECRETS), sent)


@pytest_asyncio.fixture(scope="module")
async def sick(fleet: Fleet, client: httpx.AsyncClient) -> AsyncIterator[Sick]:
    """Both bridges."""
    async with Sandbox(3) as sandbox:
        kafka = sandbox.bootstrap_servers
        async with fleet.topics(bootstrap_servers=kafka) as one, fleet.topics(bootstrap_servers=kafka) as other:
            places: list[Place] = []
            for topics, replicas, needed in ((one, BELOW_MIN_ISR, 2), (other, LEADERLESS, 1)):
                await create(kafka, topics.journal, replicas, needed)
                await create(kafka, f"{topics.group}.uneven", SENT, 1)
                places.append(await start(fleet, client, topics, f"{topics.group}.uneven"))
            await sandbox.brokers[0].kill()
            yield Sick(places[0], places[1], kafka)
            for place in places:
                await place.bridge.service.kill()


async def is_settled(bridge: Bridge) -> bool:
    """Tell whether Kafka knows that the broker is lost: until then, it holds up what is written to other partitions."""
    lost, *healthy = (make_message(number) for number in range(PARTITIONS))
    statuses = [await bridge.report(one, "delivered") for one in (lost, *healthy)]
    return statuses == [503] + [200] * len(healthy) and await bridge.service.is_ready()


async def follow(place: Place, kafka: str, one: Message) -> None:
    """Publish a sent event to the healthy partition of its topic, and return when the journal has it."""
    producer = AIOKafkaProducer(bootstrap_servers=kafka)
    await producer.start()
    try:
        await producer.send_and_wait(place.sent, json.dumps(one.sent()).encode(), partition=1)
    finally:
        await producer.stop()
    await place.bridge.topics.wait_until(
        lambda: any(
            entry["type"] == "sent" and entry["message_id"] == one.message_id for entry in place.bridge.topics.entries
        ),
        f"{one} followed",
    )


@pytest.mark.parametrize("name", ["below_min_isr", "leaderless"])
async def test_callbacks_of_other_partitions_are_accepted(sick: Sick, name: str) -> None:
    """However many come for the sick one: those are refused, at last without waiting, and Kafka isn't away."""
    bridge = getattr(sick, name).bridge
    await wait_until(lambda: is_settled(bridge), 90, lambda: f"healthy partitions suffer:\n{bridge.service.tail()}")
    statuses = Counter[tuple[str, int]]()
    for _ in range(3):
        burst = [("lost", make_message(SICK)) for _ in range(MAX_WAITING)]
        burst += [("healthy", make_message(*HEALTHY)) for _ in range(MAX_WAITING // 2)]
        found = await asyncio.gather(*(bridge.report(one, "delivered") for _, one in burst))
        statuses.update((kind, status) for (kind, _), status in zip(burst, found, strict=True))
        assert await bridge.service.is_ready()
    assert statuses == {("lost", 503): 3 * MAX_WAITING, ("healthy", 200): 3 * MAX_WAITING // 2}


async def test_sent_events_of_other_partitions_are_followed(sick: Sick) -> None:
    """Although one partition of their topic has no leader."""
    await follow(sick.below_min_isr, sick.kafka, make_message(*HEALTHY))


async def test_processes_start_without_a_partition(sick: Sick) -> None:
    """What doesn't answer isn't checked; a warning names it."""
    bridge = sick.leaderless.bridge
    await bridge.service.stop()
    await bridge.service.start()
    assert await bridge.report(make_message(*HEALTHY), "delivered") == 200
    assert '"numbers":[0]' in bridge.service.log
    await follow(sick.leaderless, sick.kafka, make_message(*HEALTHY))
