"""The one way into a partition, and the one way back after any error. The order of the steps is mandatory.

A new producer, whose start settles what its predecessor left open; the store brought to the state topic's end; the
committed offset of the journal; on from there.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from bridge.core.errors import ConfigurationError
from bridge.journal.offsets import JournalOffset, fetch_journal_offset
from bridge.journal.reader import JournalReader
from bridge.kafka.clients import KafkaClients
from bridge.kafka.producers import abort_producer
from bridge.kafka.topics import TopicLimits
from bridge.observability.metrics import StoreMetrics
from bridge.settings.model import TopicSettings
from bridge.state.ownership import OwnedPartition
from bridge.state.restore import Restore


class Recovered(NamedTuple):
    """A partition that is ready to be worked on."""

    producer: AIOKafkaProducer
    reader: JournalReader
    offset: JournalOffset


class Recovery:
    """Recovers partitions.

    Args:
        kafka: Makes clients.
        admin: Looks up committed offsets.
        group: The tracker's consumer group.
        topics: The topics' names.
        limits: What the topics take and keep.
        metrics: Is told of restores.
    """

    def __init__(
        self,
        kafka: KafkaClients,
        admin: Any,
        group: str,
        *,
        topics: TopicSettings,
        limits: TopicLimits,
        metrics: StoreMetrics,
    ) -> None:
        self._kafka, self._admin, self._group = kafka, admin, group
        self._topics, self._limits, self._metrics = topics, limits, metrics

    @asynccontextmanager
    async def recover(
        self, owned: OwnedPartition, member: AIOKafkaConsumer, progress: Callable[[], None]
    ) -> AsyncIterator[Recovered]:
        """Own a partition for this block.

        Args:
            owned: The partition.
            member: This process's member of the tracker's group.
            progress: Called whenever there is some.

        Raises:
            ConfigurationError: The group has lost its offset.
            KafkaError: Kafka can't do it now.
            TimeoutError: The restore makes no progress.
        """
        journal = TopicPartition(self._topics.journal, owned.number)
        # Step 1. A new producer: its start fences any predecessor and settles what that left open.
        producer = await self._kafka.producer(f"{self._group}.{journal.topic}.{journal.partition}")
        try:
            async with JournalReader.open(self._kafka, journal) as reader:
                progress()
                try:
                    # Step 2. The store stands where the state topic ends.
                    await self._restore(owned, member, (await self._offset(journal)).journal_id, progress)
                    # Step 3. The journal goes on where the last transaction left it.
                    offset = await self._offset(journal)
                    await reader.seek(offset.offset)
                    owned.restored = True
                    yield Recovered(producer, reader, offset)
                finally:
                    owned.reset()  # before the clients are closed, which takes its time
        finally:
            await abort_producer(producer)

    async def _restore(
        self, owned: OwnedPartition, member: AIOKafkaConsumer, journal_id: str, progress: Callable[[], None]
    ) -> None:
        state = TopicPartition(self._topics.state, owned.number)
        end = (await member.end_offsets([state]))[state]

        def note_progress(remaining: int) -> None:
            owned.restore_remaining = remaining
            progress()

        await Restore(
            kafka=self._kafka,
            tp=state,
            store=owned.store,
            journal_id=journal_id,
            tombstone_retention_ms=self._limits.tombstone_retention_ms,
            metrics=self._metrics,
            note_progress=note_progress,
        ).run(end)

    async def _offset(self, journal: TopicPartition) -> JournalOffset:
        offset = await fetch_journal_offset(self._admin, self._group, journal)
        if offset is None:
            raise ConfigurationError(f"the group {self._group} has lost its offsets; see `sms-bridge topics --adopt`")
        return offset._replace(partitions=self._limits.journal_partitions)
