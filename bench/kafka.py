"""Topics for benchmarks: made, filled, counted, and how far a group is. The broker is the sandbox's."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Self

import orjson
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]  # it means to export it

from bench.process import Failed
from bridge.kafka.clients import KafkaClients
from bridge.kafka.records import Record, send_batches
from bridge.settings.model import KafkaSettings

AT_ONCE = 20_000
"""Records that are written before their acknowledgements are awaited."""

QUIET = 3_000
"""Milliseconds without a record after which a topic that should hold more counts as short."""


class Cluster:
    """The broker as the benchmarks use it: `async with Cluster(bootstrap_servers) as cluster`."""

    def __init__(self, bootstrap_servers: str) -> None:
        self.bootstrap_servers = bootstrap_servers
        self.kafka = KafkaClients(KafkaSettings(bootstrap_servers=(bootstrap_servers,)))
        self._admin = AdminClient({"bootstrap.servers": bootstrap_servers, "log_level": 0})

    async def __aenter__(self) -> Self:
        self._groups = await self.kafka.admin()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._groups.close()

    async def create(self, *names: str, partitions: int, config: Mapping[str, str] = {}) -> None:
        """Make topics."""
        made = self._admin.create_topics([NewTopic(name, partitions, 1, config=dict(config)) for name in names])
        await asyncio.gather(*map(asyncio.wrap_future, made.values()))

    async def delete(self, *names: str) -> None:
        """Remove topics, so that a long run doesn't fill the disk; those that aren't there are none's affair."""
        if names:
            await asyncio.gather(
                *map(asyncio.wrap_future, self._admin.delete_topics(list(names)).values()), return_exceptions=True
            )

    async def names(self, prefix: str) -> list[str]:
        """Every topic whose name begins so."""
        described = await asyncio.to_thread(self._admin.list_topics, None, 10)
        return [name for name in described.topics if name.startswith(prefix)]

    async def fill(self, records: Iterable[Record]) -> int:
        """Write records, as many as there are; their number."""
        producer = await self.kafka.producer()
        written, rest = 0, iter(records)
        try:
            while part := list(islice(rest, AT_ONCE)):
                sent = await send_batches(producer, part)
                await asyncio.gather(*(future for future, _ in sent))
                written += len(part)
        finally:
            await producer.stop()
        return written

    async def committed(self, group: str, topic: str) -> int:
        """Records of a topic that a group is done with: the sum of its committed offsets."""
        # Not by the client used elsewhere here: it crashes when a group has no coordinator yet.
        try:
            found = await self._groups.list_consumer_group_offsets(group)
        except KafkaError:
            return 0  # the group isn't there yet
        return sum(max(0, at.offset) for tp, at in found.items() if tp.topic == topic)

    async def ends(self, topic: str) -> dict[TopicPartition, int]:
        """Where each partition of a topic ends."""
        reader = await self.kafka.reader(committed=True)
        try:
            ends: dict[TopicPartition, int] = await reader.end_offsets(await self.partitions(topic))
        finally:
            await reader.stop()
        return ends

    async def values(self, topic: str, expected: int) -> list[bytes]:
        """The values of all that was committed to a topic, once there are so many, and what follows at once.

        Raises:
            Failed: There are fewer.
        """
        reader = await self.kafka.reader(committed=True)
        found: list[bytes] = []
        try:
            tps = await self.partitions(topic)
            reader.assign(tps)
            await reader.seek_to_beginning(*tps)
            while batches := await reader.getmany(timeout_ms=QUIET if len(found) < expected else 200):
                found += [record.value for batch in batches.values() for record in batch]
        finally:
            await reader.stop()
        if len(found) < expected:
            raise Failed(f"{topic} holds {len(found)} events, not {expected}")
        return found

    async def partitions(self, topic: str) -> list[TopicPartition]:
        """A topic's partitions."""
        described = await asyncio.to_thread(self._admin.list_topics, topic, 10)
        return [TopicPartition(topic, number) for number in described.topics[topic].partitions]


def exactly_once(values: Sequence[bytes], expected: int) -> None:
    """See that every event is there once, and that each attempt's are in order.

    Raises:
        Failed: One is missing, there twice, or out of order.
    """
    last: Counter[str] = Counter()
    for value in values:
        event = orjson.loads(value)
        key, sequence = f"{event['provider']}:{event['provider_message_id']}", event["sequence"]
        if sequence != last[key] + 1:
            raise Failed(f"event {sequence} of {key} follows event {last[key]}")
        last[key] = sequence
    if len(values) != expected:
        raise Failed(f"{len(values)} events were published, not {expected}")
