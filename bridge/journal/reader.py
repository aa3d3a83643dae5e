"""One partition of the journal, as its owner reads it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Self

from aiokafka import AIOKafkaConsumer, TopicPartition

from bridge.kafka.clients import KafkaClients
from bridge.kafka.consumers import close_consumer, fetch

MAX_ENTRIES = 1_000
"""Entries that are taken together: what one transaction folds, some tens of milliseconds of work."""

MAX_WAIT_MS = 500
"""Milliseconds that a broker keeps a fetch when there is nothing new."""


class JournalReader:
    """Reads from where it was set, and knows how much is left.

    It has a connection of its own. A consumer that reads several partitions of a broker fetches nothing of one while
    another's entries wait for their transaction.
    """

    def __init__(self, consumer: AIOKafkaConsumer, tp: TopicPartition) -> None:
        self._consumer, self.tp = consumer, tp
        self._end = 0

    @classmethod
    @asynccontextmanager
    async def open(cls, kafka: KafkaClients, tp: TopicPartition) -> AsyncIterator[Self]:
        """Connect.

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

    async def take(self, timeout_ms: int) -> list[Any]:
        """The next records, as many as there are; none when none comes for so many milliseconds.

        Raises:
            OffsetOutOfRangeError: The journal no longer holds them.
            KafkaError: It can't be read.
        """
        self._consumer.resume(self.tp)
        records = (await fetch(self._consumer, self.tp, timeout_ms=timeout_ms, max_records=MAX_ENTRIES)).get(
            self.tp, []
        )
        if records and not self.count_left(records[-1].offset + 1):
            # Asked for now, the next fetch would bring the first entry that comes while these are published, and all
            # that come after it would wait for one transaction more. Asked for then, it brings them all.
            self._consumer.pause(self.tp)
        return records

    def count_left(self, offset: int) -> int:
        """How many are known to be there from this offset on."""
        # What the first fetch was told may come late; until then counts what was asked for.
        return max(0, max(self._end, self._consumer.highwater(self.tp) or 0) - offset)
