"""Reads one partition of the journal for its worker."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Self

from aiokafka import AIOKafkaConsumer, TopicPartition

from bridge.kafka.clients import KafkaClients
from bridge.kafka.consumers import close_consumer, fetch

MAX_WAIT_MS = 500
"""Milliseconds that a broker holds a fetch while there is nothing new."""


class JournalReader:
    """Reads on from an offset, and counts what is left.

    Each partition has a consumer of its own: a consumer of several partitions fetches nothing from a broker while
    fetched entries of one of them wait for their transaction.
    """

    def __init__(self, consumer: AIOKafkaConsumer, tp: TopicPartition) -> None:
        self._consumer, self.tp = consumer, tp
        self._end = 0

    @classmethod
    @asynccontextmanager
    async def open(cls, kafka: KafkaClients, tp: TopicPartition) -> AsyncIterator[Self]:
        """Open a consumer for the duration of the context.

        Raises:
            KafkaError: Kafka is away.
        """
        consumer = await kafka.reader(committed=False, max_wait_ms=MAX_WAIT_MS)
        try:
            yield cls(consumer, tp)
        finally:
            await close_consumer(consumer)

    async def seek(self, offset: int) -> None:
        """Read from this offset on."""
        self._consumer.assign([self.tp])
        self._consumer.seek(self.tp, offset)
        self._end = (await self._consumer.end_offsets([self.tp]))[self.tp]

    async def take(self, limit: int, timeout_ms: int) -> list[Any]:
        """Take the next records, `limit` at most; none if none comes within `timeout_ms`.

        Raises:
            OffsetOutOfRangeError: The journal no longer holds them.
            KafkaError: It can't be read.
        """
        self._consumer.resume(self.tp)
        records = (await fetch(self._consumer, self.tp, timeout_ms=timeout_ms, max_records=limit)).get(self.tp, [])
        if records and not self.count_left(records[-1].offset + 1):
            # A fetch sent now would return the first entry that comes while these are published, and entries after it
            # would wait for one more transaction. A fetch sent after that returns them all.
            self._consumer.pause(self.tp)
        return records

    def count_left(self, offset: int) -> int:
        """Count the records that are known to exist from this offset on."""
        # The first fetch may answer late; until then the end that `seek` fetched counts.
        return max(0, max(self._end, self._consumer.highwater(self.tp) or 0) - offset)
