"""Three real brokers, and a network between them and each bridge that can be made to fail.

Each bridge reaches the brokers at listeners of its own, through wires of its own; whoever checks reaches them directly.
"""

import asyncio
import time
from collections.abc import Iterable
from contextlib import AsyncExitStack
from typing import Self

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]  # it means to export them

from bridge.sandbox.kafka.broker import Broker, Sandbox
from bridge.sandbox.kafka.server_properties import HOST
from tests.chaos.wires import Wire
from tests.support.ports import free_ports

HEALED_WITHIN = 90.0
"""Seconds for every replica to be in sync again after a broker came back."""


class Cluster:
    """`async with Cluster(bridges=3) as cluster`.

    Args:
        bridges: How many bridges have a way of their own to it.
    """

    def __init__(self, bridges: int) -> None:
        self._bridges = bridges
        self._stack = AsyncExitStack()
        self._sandbox = Sandbox(3)
        self.wires: list[list[Wire]] = []
        """By bridge: its wires to each of the brokers."""

    async def __aenter__(self) -> Self:
        await self._stack.enter_async_context(self._sandbox)
        try:
            await self._open_ways()
        except BaseException:
            await self._stack.aclose()
            raise
        self.admin = AdminClient({"bootstrap.servers": self.servers, "log_level": 0})
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    @property
    def brokers(self) -> tuple[Broker, ...]:
        """The brokers."""
        return self._sandbox.brokers

    @property
    def servers(self) -> str:
        """The brokers' addresses, not by way of any wire."""
        return self._sandbox.bootstrap_servers

    def servers_of(self, bridge: int) -> str:
        """Where a bridge finds the brokers."""
        return ",".join(f"{HOST}:{wire.port}" for wire in self.wires[bridge])

    async def create(self, topic: str, partitions: int) -> None:
        """Make a topic."""
        [made] = self.admin.create_topics([NewTopic(topic, partitions, 3)]).values()
        await asyncio.wrap_future(made)

    async def partitions(self, topic: str) -> int:
        """How many partitions a topic has; 0 while there is no such topic."""
        described = await asyncio.to_thread(self.admin.list_topics, timeout=10)
        return len(described.topics[topic].partitions) if topic in described.topics else 0

    async def coordinator(self, group: str) -> Broker:
        """The broker that coordinates a group; any where nobody tells."""
        try:
            [found] = self.admin.describe_consumer_groups([group], request_timeout=5).values()
            node = int((await asyncio.wrap_future(found)).coordinator.id)
        except KafkaException:
            node = 1
        return self.brokers[node - 1]

    async def kill(self, brokers: Iterable[Broker], seconds: float) -> None:
        """Kill brokers and start them again after so many seconds; return when all replicas are in sync."""
        chosen = list(brokers)
        await asyncio.gather(*(broker.kill() for broker in chosen))
        await asyncio.sleep(seconds)
        await asyncio.gather(*(broker.start() for broker in chosen))
        await self.healed()

    async def healed(self) -> None:
        """Return when every partition has all its replicas in sync.

        Raises:
            TimeoutError: That takes too long.
        """
        end = time.monotonic() + HEALED_WITHIN
        while not await asyncio.to_thread(self._in_sync):
            if time.monotonic() > end:
                raise TimeoutError("the brokers' replicas don't come into sync")
            await asyncio.sleep(0.5)

    def _in_sync(self) -> bool:
        try:
            topics = self.admin.list_topics(timeout=5).topics.values()
        except KafkaException:
            return False
        every = [partition for topic in topics for partition in topic.partitions.values()]
        return all(len(partition.isrs) == len(self.brokers) for partition in every)

    async def _open_ways(self) -> None:
        """Give every broker a listener a bridge, advertised as the wire that leads there."""
        ports = free_ports(len(self.brokers) * self._bridges)
        for bridge in range(self._bridges):
            mine = ports[bridge * len(self.brokers) :][: len(self.brokers)]
            self.wires.append([await self._stack.enter_async_context(Wire((HOST, port))) for port in mine])
        await asyncio.gather(*(broker.kill() for broker in self.brokers))
        for number, broker in enumerate(self.brokers):
            self._configure(broker, [wires[number] for wires in self.wires])
        await asyncio.gather(*(broker.start() for broker in self.brokers))
        await asyncio.gather(*(broker.sees([other.node for other in self.brokers]) for broker in self.brokers))

    def _configure(self, broker: Broker, wires: list[Wire]) -> None:
        path = broker.log.parent / f"broker-{broker.node}.properties"
        settings = dict(line.split("=", 1) for line in path.read_text().splitlines())
        for number, wire in enumerate(wires):
            settings["listeners"] += f",WAY{number}://{HOST}:{wire.target[1]}"
            settings["advertised.listeners"] += f",WAY{number}://{HOST}:{wire.port}"
            settings["listener.security.protocol.map"] += f",WAY{number}:PLAINTEXT"
        settings["inter.broker.listener.name"] = "PLAINTEXT"
        path.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
