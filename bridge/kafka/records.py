"""Records, and how they are handed to a producer in batches. No topic is known by name here."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from aiokafka import AIOKafkaProducer
from aiokafka.errors import BrokerResponseError, kafka_errors
from aiokafka.producer.message_accumulator import BatchBuilder

from bridge.concurrency import retrieve_exception


class InvalidRecordError(BrokerResponseError):  # type: ignore[misc]  # aiokafka has no types
    """A broker refuses a record, such as one without a key for a compacted topic; the client library has no class."""

    errno = 87
    message = "INVALID_RECORD"
    description = "The broker refuses a record of the batch."


kafka_errors.setdefault(InvalidRecordError.errno, InvalidRecordError)

Header = tuple[str, bytes]


class Record(NamedTuple):
    """A record to be written, its partition already chosen. The timestamp is in milliseconds since the epoch."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[Header] = ()
    timestamp: int | None = None

    @property
    def size(self) -> int:
        """The bytes of key, value and headers."""
        size = len(self.key or b"") + len(self.value or b"")
        return size + sum(len(name) + len(value) + 10 for name, value in self.headers) if self.headers else size


PendingBatch = tuple[asyncio.Future[Any], int]
"""A batch in flight: the future of its metadata, and how many records it has."""


async def send_batches(producer: AIOKafkaProducer, records: Iterable[Record]) -> list[PendingBatch]:
    """Hand records to a producer in batches. A failed batch breaks the producer: its sequence number is spent."""
    partitions: dict[tuple[str, int], list[Record]] = {}
    for record in records:
        partitions.setdefault((record.topic, record.partition), []).append(record)
    pending = await asyncio.gather(*(send_partition(producer, some) for some in partitions.values()))
    return [batch for batches in pending for batch in batches]


async def send_partition(producer: AIOKafkaProducer, records: Sequence[Record]) -> list[PendingBatch]:
    """Hand records of one partition to a producer; returns when the batch before them is on the wire."""
    topic, partition = records[0].topic, records[0].partition
    pending: list[PendingBatch] = []
    builder = producer.create_batch()
    for record in records:
        if not _append(builder, record):
            pending.append(await _send(producer, builder, topic, partition))
            builder = producer.create_batch()
            _append(builder, record)
    pending.append(await _send(producer, builder, topic, partition))
    return pending


async def _send(producer: AIOKafkaProducer, builder: BatchBuilder, topic: str, partition: int) -> PendingBatch:
    future = await producer.send_batch(builder, topic, partition=partition)
    # The caller may be cancelled before the batch fails.
    future.add_done_callback(retrieve_exception)
    return future, builder.record_count()


def _append(builder: BatchBuilder, record: Record) -> bool:
    """Add a record, and tell whether it fits; an empty batch takes any record."""
    _topic, _partition, key, value, headers, timestamp = record
    return builder.append(timestamp=timestamp, key=key, value=value, headers=list(headers)) is not None
