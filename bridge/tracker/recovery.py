"""Recovers a partition, at assignment and after every error. The order of the steps is mandatory.

Start a new producer, which settles its predecessor's open transaction; restore the store to the end of the state topic;
fetch the journal's committed offset, and read on from there.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from bridge.clock import now_ms
from bridge.core.errors import ConfigurationError
from bridge.journal.offsets import JournalOffset, fetch_journal_offset, refuse_lost_state
from bridge.journal.reader import JournalReader
from bridge.kafka.clients import KafkaClients
from bridge.kafka.producers import abort_producer
from bridge.kafka.topic_limits import TopicLimits
from bridge.observability.metrics import StoreMetrics
from bridge.settings.model import TopicSettings
from bridge.state.ownership import OwnedPartition
from bridge.state.restore import Restore


class Recovered(NamedTuple):
    """A partition that is ready to be worked on."""

    producer: AIOKafkaProducer
    reader: JournalReader
    offset: JournalOffset


def make_transactional_id(group: str, journal: TopicPartition) -> str:
    """Make the transactional id of a partition's only writer; a new producer with it fences the one before."""
    return f"{group}.{journal.topic}.{journal.partition}"


class Recovery:
    """Recovers partitions.

    Args:
        kafka: Makes clients.
        admin: Fetches committed offsets.
        group: The tracker's consumer group.
        topics: The topics' names.
        limits: The topics' sizes and retention.
        lifetimes: A fingerprint of the settings that say how long messages are followed.
        metrics: Counts restores.
    """

    def __init__(
        self,
        kafka: KafkaClients,
        admin: Any,
        group: str,
        *,
        topics: TopicSettings,
        limits: TopicLimits,
        lifetimes: str,
        metrics: StoreMetrics,
    ) -> None:
        self._kafka, self._admin, self._group = kafka, admin, group
        self._topics, self._limits, self._lifetimes, self._metrics = topics, limits, lifetimes, metrics

    @asynccontextmanager
    async def recover(
        self, owned: OwnedPartition, member: AIOKafkaConsumer, progress: Callable[[], None]
    ) -> AsyncIterator[Recovered]:
        """Recover a partition and own it for the duration of the context.

        Args:
            owned: The partition.
            member: This process's member of the tracker's group.
            progress: Called after each step of progress.

        Raises:
            ConfigurationError: The group has lost its offset, or the state topic its states.
            KafkaError: Kafka is away or refuses.
            TimeoutError: The restore makes no progress.
        """
        journal = TopicPartition(self._topics.journal, owned.number)
        # Step 1. Start a new producer, which fences its predecessor and settles its open transaction.
        producer = await self._kafka.producer(make_transactional_id(self._group, journal))
        try:
            async with JournalReader.open(self._kafka, journal) as reader:
                progress()
                try:
                    # Step 2. Restore the store to the end of the state topic.
                    await self._restore(owned, member, await self._fetch_offset(journal), progress)
                    # Step 3. Read the journal from the offset of the last transaction.
                    offset = await self._fetch_offset(journal)
                    await reader.seek(offset.offset)
                    owned.restored = True
                    yield Recovered(producer, reader, offset)
                finally:
                    owned.reset()  # before the clients are closed, which takes its time
        finally:
            await abort_producer(producer)

    async def _restore(
        self, owned: OwnedPartition, member: AIOKafkaConsumer, offset: JournalOffset, progress: Callable[[], None]
    ) -> None:
        state = TopicPartition(self._topics.state, owned.number)
        end = (await member.end_offsets([state]))[state]
        refuse_lost_state(state, end, offset.state_end)

        def note_progress(remaining: int) -> None:
            owned.restore_remaining = remaining
            progress()

        await Restore(
            kafka=self._kafka,
            tp=state,
            store=owned.store,
            journal_id=offset.journal_id,
            tombstone_retention_ms=self._limits.tombstone_retention_ms,
            metrics=self._metrics,
            note_progress=note_progress,
        ).run(end)

    async def _fetch_offset(self, journal: TopicPartition) -> JournalOffset:
        offset = await fetch_journal_offset(self._admin, self._group, journal)
        if offset is None:
            raise ConfigurationError(f"the group {self._group} has lost its offsets; see `sms-bridge topics --adopt`")
        horizon = offset.horizon.apply_settings(self._lifetimes, now_ms())
        return offset._replace(partitions=self._limits.journal_partitions, horizon=horizon)
