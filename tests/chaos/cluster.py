"""Three real brokers, and a network between them and each bridge into which faults can be injected.

Each bridge has its own listener on every broker, reached through its own wire. The verifying clients connect directly.
"""

import asyncio
import time
from collections.abc import Iterable
from contextlib import AsyncExitStack
from typing import Self

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError
from confluent_kafka import KafkaError as TopicError
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]  # it means to export them

from bridge.sandbox.kafka.broker import Broker, Sandbox
from tests.chaos.access import PROTOCOL, Access
from tests.chaos.wires import Wire
from tests.support.ports import HOST, find_free_ports

REQUEST_TIMEOUT_SECONDS = 10.0

IN_SYNC_TIMEOUT_SECONDS = 90.0
"""For all replicas to be in sync again after a broker came back."""


class Cluster:
    """`async with Cluster(bridges=3) as cluster`.

    Args:
        bridges: How many bridges get their own wires.
        access: How bridges log in; None: they needn't, and may do everything.
    """

    def __init__(self, bridges: int, access: Access | None = None) -> None:
        self._bridges, self._access = bridges, access
        self._stack = AsyncExitStack()
        self._sandbox = Sandbox(3, config=access.config, jvm=(access.jvm,)) if access else Sandbox(3)
        self.wires: list[list[Wire]] = []
        """By bridge: its wires, one per broker."""

    async def __aenter__(self) -> Self:
        await self._stack.enter_async_context(self._sandbox)
        try:
            await self._add_listeners()
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
        """The brokers' own addresses, without wires."""
        return self._sandbox.bootstrap_servers

    def servers_for(self, bridge: int) -> str:
        """Return a bridge's bootstrap servers: its wires."""
        return ",".join(f"{HOST}:{wire.port}" for wire in self.wires[bridge])

    async def create_topic(self, topic: str, partitions: int) -> None:
        """Create a topic."""
        [created] = self.admin.create_topics([NewTopic(topic, partitions, 3)]).values()
        await asyncio.wrap_future(created)

    async def recreate_topic(self, topic: str, partitions: int, pause_seconds: float) -> None:
        """Delete a topic, and create it again after some seconds. No broker may be killed meanwhile."""
        [deleted] = self.admin.delete_topics([topic]).values()
        await asyncio.wrap_future(deleted)
        await asyncio.sleep(pause_seconds)
        while True:
            try:
                await self.create_topic(topic, partitions)
            except KafkaException as error:
                if error.args[0].code() != TopicError.TOPIC_ALREADY_EXISTS:
                    raise
                await asyncio.sleep(0.1)  # the deletion isn't known everywhere yet
            else:
                return

    async def count_partitions(self, topic: str) -> int:
        """Return how many partitions a topic has; 0 if there is no such topic."""
        metadata = await asyncio.to_thread(self.admin.list_topics, timeout=10)
        return len(metadata.topics[topic].partitions) if topic in metadata.topics else 0

    # Not with `admin`: its library aborts the process now and then where a broker goes away during such a request.

    async def reset_offsets(self, group: str, topic: str) -> None:
        """Set a group without members to the beginning of a topic.

        Raises:
            KafkaError: It can't be reached.
        """
        places = {TopicPartition(topic, number): 0 for number in range(await self.count_partitions(topic))}
        async with AIOKafkaConsumer(
            bootstrap_servers=self.servers, group_id=group, enable_auto_commit=False
        ) as consumer:
            consumer.assign(list(places))
            async with asyncio.timeout(REQUEST_TIMEOUT_SECONDS):
                await consumer.commit(places)

    async def add_partition(self, topic: str) -> int:
        """Add a partition to a topic.

        Returns:
            How many it has then.

        Raises:
            KafkaError: It can't be added.
        """
        count = await self.count_partitions(topic) + 1
        admin = AIOKafkaAdminClient(bootstrap_servers=self.servers)
        try:
            async with asyncio.timeout(REQUEST_TIMEOUT_SECONDS):
                await admin.start()
                await admin.create_partitions({topic: NewPartitions(count)})
        finally:
            await admin.close()
        return count

    async def set_config(self, topic: str, name: str, value: str) -> None:
        """Set one entry of a topic's configuration; all others get their defaults. Repeated until it is done."""
        resource = ConfigResource(ConfigResourceType.TOPIC, topic, {name: value})
        while True:
            admin = AIOKafkaAdminClient(bootstrap_servers=self.servers)
            try:
                async with asyncio.timeout(REQUEST_TIMEOUT_SECONDS):
                    await admin.start()
                    await admin.alter_configs([resource])
                    return
            except (KafkaError, OSError, TimeoutError):
                await asyncio.sleep(0.5)
            finally:
                await admin.close()

    async def find_coordinator(self, group: str) -> Broker:
        """Return the broker that coordinates a group, or the first one if that is unknown."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.servers)
        try:
            async with asyncio.timeout(REQUEST_TIMEOUT_SECONDS):
                await admin.start()
                node = int(await admin.find_coordinator(group))
        except (KafkaError, OSError, TimeoutError):
            node = 1
        finally:
            await admin.close()
        return self.brokers[node - 1]

    async def kill_brokers(self, brokers: Iterable[Broker], seconds: float) -> None:
        """Kill brokers, start them again after some seconds, and wait until all replicas are in sync."""
        targets = list(brokers)
        await asyncio.gather(*(broker.kill() for broker in targets))
        await asyncio.sleep(seconds)
        await asyncio.gather(*(broker.start() for broker in targets))
        await self.wait_until_in_sync()

    async def wait_until_in_sync(self) -> None:
        """Return when every partition has all its replicas in sync.

        Raises:
            TimeoutError: It takes too long.
        """
        end = time.monotonic() + IN_SYNC_TIMEOUT_SECONDS
        while not await asyncio.to_thread(self._is_in_sync):
            if time.monotonic() > end:
                raise TimeoutError("the brokers' replicas are not in sync")
            await asyncio.sleep(0.5)

    def _is_in_sync(self) -> bool:
        try:
            topics = self.admin.list_topics(timeout=5).topics.values()
        except KafkaException:
            return False
        partitions = [partition for topic in topics for partition in topic.partitions.values()]
        return all(len(partition.isrs) == len(self.brokers) for partition in partitions)

    async def _add_listeners(self) -> None:
        """Give every broker one listener per bridge, which advertises the address of that bridge's wire."""
        ports = find_free_ports(len(self.brokers) * self._bridges)
        for bridge in range(self._bridges):
            own_ports = ports[bridge * len(self.brokers) :][: len(self.brokers)]
            self.wires.append([await self._stack.enter_async_context(Wire((HOST, port))) for port in own_ports])
        await asyncio.gather(*(broker.kill() for broker in self.brokers))
        for number, broker in enumerate(self.brokers):
            self._configure(broker, [wires[number] for wires in self.wires])
        await asyncio.gather(*(broker.start() for broker in self.brokers))
        await asyncio.gather(
            *(broker.wait_until_lists([other.node for other in self.brokers]) for broker in self.brokers)
        )

    def _configure(self, broker: Broker, wires: list[Wire]) -> None:
        path = broker.log.parent / f"broker-{broker.node}.properties"
        settings = dict(line.split("=", 1) for line in path.read_text().splitlines())
        for number, wire in enumerate(wires):
            settings["listeners"] += f",BRIDGE{number}://{HOST}:{wire.target[1]}"
            settings["advertised.listeners"] += f",BRIDGE{number}://{HOST}:{wire.port}"
            protocol = PROTOCOL if self._access else "PLAINTEXT"
            settings["listener.security.protocol.map"] += f",BRIDGE{number}:{protocol}"
            settings |= self._access.format_listener(f"BRIDGE{number}") if self._access else {}
        settings["inter.broker.listener.name"] = "PLAINTEXT"
        path.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
