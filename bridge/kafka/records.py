"""Records, and how they are handed to a producer in batches. No topic is known by name here."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from itertools import zip_longest
from typing import Any, NamedTuple

from aiokafka import AIOKafkaProducer
from aiokafka.errors import BrokerResponseError, kafka_errors
from aiokafka.producer.message_accumulator import BatchBuilder
from msgspec import Struct

from bridge.concurrency import retrieve_exception


class InvalidRecordError(BrokerResponseError):  # type: ignore[misc]  # aiokafka has no types
    """A broker refuses a record, such as one without a key for a compacted topic; the client library has no class."""

    errno = 87
    message = "INVALID_RECORD"
    description = "The broker refuses a record of the batch."


kafka_errors.setdefault(InvalidRecordError.errno, InvalidRecordError)

Header = tuple[str, bytes]


class Record(Struct, frozen=True, gc=False):
    """A record to be written, its partition already chosen. The timestamp is in milliseconds since the epoch."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None
    headers: list[Header] = []
    timestamp: int | None = None

    @property
    def size(self) -> int:
        """The bytes of key, value and headers."""
        size = len(self.key or b"") + len(self.value or b"")
        return size + sum(len(name) + len(value) + 10 for name, value in self.headers) if self.headers else size


class PendingBatch(NamedTuple):
    """A batch in flight."""

    future: asyncio.Future[Any]
    """Of its metadata."""
    records: int
    """How many it has."""


class RecordBatches:
    """Records in batches that a producer may send, in order for each partition.

    Args:
        producer: The producer that will send them.
        batches: The first ones, by topic and partition.
    """

    def __init__(self, producer: AIOKafkaProducer, batches: Mapping[tuple[str, int], list[BatchBuilder]] = {}) -> None:
        self._producer = producer
        self._batches = dict(batches)

    def add(self, records: Iterable[Record]) -> None:
        """Add records. A batch that is full is followed by another one; an empty one takes any record."""
        for record in records:
            tp = record.topic, record.partition
            batches = self._batches.get(tp)
            if batches is None:
                batches = self._batches[tp] = [self._producer.create_batch()]
            if not _append(batches[-1], record):
                batches.append(self._producer.create_batch())
                _append(batches[-1], record)

    def split_long(self) -> dict[tuple[str, int], "RecordBatches"]:
        """Take out each partition that has several batches."""
        long = [tp for tp, batches in self._batches.items() if len(batches) > 1]
        return {tp: RecordBatches(self._producer, {tp: self._batches.pop(tp)}) for tp in long}

    async def send(self) -> AsyncIterator[tuple[tuple[str, int], PendingBatch]]:
        """Hand the batches to the producer, in order for each partition, and yield each one that it has taken.

        A batch that fails breaks the producer: its sequence number is spent.

        Yields:
            Topic and partition, and the batch. All but each partition's last one are on the wire at the end.
        """
        # The first batch of every partition, then the second ones: a partition's batches wait for one another.
        for batches in zip_longest(*self._batches.values()):
            for tp, builder in zip(self._batches, batches, strict=True):
                if builder is not None:
                    topic, partition = tp
                    future = await self._producer.send_batch(builder, topic, partition=partition)
                    # The caller may be cancelled before the batch fails.
                    future.add_done_callback(retrieve_exception)
                    yield tp, PendingBatch(future, builder.record_count())


async def send_batches(producer: AIOKafkaProducer, records: Iterable[Record]) -> list[PendingBatch]:
    """Hand records to a producer in batches, as `RecordBatches.send` does, and return the batches."""
    batches = RecordBatches(producer)
    batches.add(records)
    return [batch async for _, batch in batches.send()]


def _append(builder: BatchBuilder, record: Record) -> bool:
    """Append a record, and tell whether it fits."""
    # The builder's own `append` takes twice as long: it is a call around this one, which is compiled.
    count = builder._relative_offset  # noqa: SLF001 - the number of records that it has
    headers = record.headers
    if builder._builder.append(count, record.timestamp, record.key, record.value, headers) is None:  # noqa: SLF001
        return False
    builder._relative_offset = count + 1  # noqa: SLF001
    return True
