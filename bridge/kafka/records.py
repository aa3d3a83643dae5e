"""Records, and how they are handed to a producer in batches. No topic is known by name here."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from aiokafka import AIOKafkaProducer
from aiokafka.producer.message_accumulator import BatchBuilder

from bridge.concurrency import retrieve_exception

Header = tuple[str, bytes]


class Record(NamedTuple):
    """Something to be written, its partition already chosen. The timestamp is milliseconds since the epoch."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[Header] = ()
    timestamp: int | None = None

    @property
    def size(self) -> int:
        """Bytes of key, value and headers."""
        size = len(self.key or b"") + len(self.value or b"")
        return size + sum(len(name) + len(value) + 10 for name, value in self.headers) if self.headers else size


PendingBatch = tuple[asyncio.Future[Any], int]
"""A batch on its way: the future of its metadata, and how many records it has."""


async def send_batches(producer: AIOKafkaProducer, records: Iterable[Record]) -> list[PendingBatch]:
    """Hand records to a producer, in batches. One that fails poisons it for good: its sequence number is spent."""
    lanes: dict[tuple[str, int], list[Record]] = {}
    for record in records:
        lanes.setdefault((record.topic, record.partition), []).append(record)
    sent = await asyncio.gather(*(send_partition(producer, lane) for lane in lanes.values()))
    return [batch for lane in sent for batch in lane]


async def send_partition(producer: AIOKafkaProducer, records: Sequence[Record]) -> list[PendingBatch]:
    """Hand records of one partition to a producer; returns when the batch before them is on the wire."""
    topic, partition = records[0].topic, records[0].partition
    sent: list[PendingBatch] = []
    builder = producer.create_batch()
    for record in records:
        if not _fits(builder, record):
            sent.append(await _send(producer, builder, topic, partition))
            builder = producer.create_batch()
            _fits(builder, record)
    sent.append(await _send(producer, builder, topic, partition))
    return sent


async def _send(producer: AIOKafkaProducer, builder: BatchBuilder, topic: str, partition: int) -> PendingBatch:
    future = await producer.send_batch(builder, topic, partition=partition)
    # Whoever waits for it may be cut off before it fails; that isn't news for the event loop.
    future.add_done_callback(retrieve_exception)
    return future, builder.record_count()


def _fits(builder: BatchBuilder, record: Record) -> bool:
    """Add a record; an empty batch takes any."""
    _topic, _partition, key, value, headers, timestamp = record
    return builder.append(timestamp=timestamp, key=key, value=value, headers=list(headers)) is not None
