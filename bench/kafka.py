"""Topics for benchmarks: creates, fills, counts and reads them, and reads a group's offsets."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Self

import orjson
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]  # it means to export it

from bench.meters import measure_cpu_seconds
from bench.process import BenchmarkError
from bridge.kafka.clients import KafkaClients
from bridge.kafka.records import Record, send_batches
from bridge.settings.kafka import KafkaSettings

MAX_UNACKNOWLEDGED = 20_000
"""How many records are written before their acknowledgements are awaited."""

READ_TIMEOUT_MS = 3_000
"""If no record arrives for this long, the topic has fewer records than expected."""


class Cluster:
    """The broker as the benchmarks use it: `async with Cluster(bootstrap_servers) as cluster`.

    Args:
        bootstrap_servers: Its address.
        pids: The brokers' processes, if they run on this machine.
    """

    def __init__(self, bootstrap_servers: str, pids: Sequence[int] = ()) -> None:
        self.bootstrap_servers, self._pids = bootstrap_servers, pids
        self.kafka = KafkaClients(KafkaSettings(bootstrap_servers=(bootstrap_servers,)))
        self._admin = AdminClient({"bootstrap.servers": bootstrap_servers, "log_level": 0})

    async def __aenter__(self) -> Self:
        self._groups = await self.kafka.admin()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._groups.close()

    def read_cpu_seconds(self) -> float | None:
        """Return the CPU time that the brokers have used; None if they run elsewhere."""
        return sum(map(measure_cpu_seconds, self._pids)) if self._pids else None

    async def create_topics(self, *names: str, partitions: int, config: Mapping[str, str] = {}) -> None:
        """Create topics."""
        created = self._admin.create_topics([NewTopic(name, partitions, 1, config=dict(config)) for name in names])
        await asyncio.gather(*map(asyncio.wrap_future, created.values()))

    async def delete_topics(self, *names: str) -> None:
        """Delete topics, so that a long run doesn't fill the disk; missing ones are ignored."""
        if names:
            await asyncio.gather(
                *map(asyncio.wrap_future, self._admin.delete_topics(list(names)).values()), return_exceptions=True
            )

    async def list_topics(self, prefix: str) -> list[str]:
        """Return the topics whose names start with the prefix."""
        metadata = await asyncio.to_thread(self._admin.list_topics, None, 10)
        return [name for name in metadata.topics if name.startswith(prefix)]

    async def fill(self, records: Iterable[Record]) -> int:
        """Write all records and return their number."""
        producer = await self.kafka.producer()
        written, rest = 0, iter(records)
        try:
            while part := list(islice(rest, MAX_UNACKNOWLEDGED)):
                sent = await send_batches(producer, part)
                await asyncio.gather(*(future for future, _ in sent))
                written += len(part)
        finally:
            await producer.stop()
        return written

    async def count_committed(self, group: str, topic: str) -> int:
        """Return the sum of a group's committed offsets in a topic."""
        # Not with the other client, which crashes if a group has no coordinator yet.
        try:
            found = await self._groups.list_consumer_group_offsets(group)
        except KafkaError:
            return 0  # the group doesn't exist yet
        return sum(max(0, at.offset) for tp, at in found.items() if tp.topic == topic)

    async def fetch_end_offsets(self, topic: str) -> dict[TopicPartition, int]:
        """Return the end offset of each partition of a topic."""
        reader = await self.kafka.reader(committed=True)
        try:
            ends: dict[TopicPartition, int] = await reader.end_offsets(await self.list_partitions(topic))
        finally:
            await reader.stop()
        return ends

    async def read_values(self, topic: str, expected: int) -> list[bytes]:
        """Return the values of a topic's committed records.

        Raises:
            BenchmarkError: There are fewer than expected.
        """
        reader = await self.kafka.reader(committed=True)
        found: list[bytes] = []
        try:
            tps = await self.list_partitions(topic)
            reader.assign(tps)
            await reader.seek_to_beginning(*tps)
            while batches := await reader.getmany(timeout_ms=READ_TIMEOUT_MS if len(found) < expected else 200):
                found += [record.value for batch in batches.values() for record in batch]
        finally:
            await reader.stop()
        if len(found) < expected:
            raise BenchmarkError(f"{topic} holds {len(found)} events, not {expected}")
        return found

    async def list_partitions(self, topic: str) -> list[TopicPartition]:
        """Return a topic's partitions."""
        described = await asyncio.to_thread(self._admin.list_topics, topic, 10)
        return [TopicPartition(topic, number) for number in described.topics[topic].partitions]


def verify_exactly_once(values: Sequence[bytes], expected: int) -> None:
    """Verify that every event exists once and that each attempt's events are in order.

    Raises:
        BenchmarkError: An event is missing, duplicated or out of order.
    """
    last: Counter[str] = Counter()
    for value in values:
        event = orjson.loads(value)
        key, sequence = f"{event['provider']}:{event['provider_message_id']}", event["sequence"]
        if sequence != last[key] + 1:
            raise BenchmarkError(f"event {sequence} of {key} follows event {last[key]}")
        last[key] = sequence
    if len(values) != expected:
        raise BenchmarkError(f"{len(values)} events were published, not {expected}")
