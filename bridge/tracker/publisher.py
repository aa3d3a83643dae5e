"""Publishes a batch: makes its records, commits them in one transaction, then updates the cache and the metrics."""

from aiokafka import AIOKafkaProducer, TopicPartition

from bridge.core.publication import Publication
from bridge.journal.offsets import JournalOffset
from bridge.kafka.records import Record, RecordBatches
from bridge.observability.metrics import TrackerMetrics
from bridge.observability.tracing import Tracing
from bridge.state.ownership import OwnedPartition
from bridge.tracker.batch import Batch
from bridge.tracker.batch_metrics import BatchMetrics
from bridge.tracker.dead_letter_records import DeadLetterRecords
from bridge.tracker.delivery_records import DeliveryRecords
from bridge.tracker.event_counts import EventCounts
from bridge.tracker.transaction import TransactionTarget, commit_transaction, make_state_records


class Outgoing:
    """The records of a transaction, encoded slice by slice: what they are made from is in the CPU's cache and not kept.

    Args:
        producer: The producer that will send them.
    """

    def __init__(self, producer: AIOKafkaProducer) -> None:
        self.batches = RecordBatches(producer)
        self.counts = EventCounts()
        """What the metrics need of the events."""
        self.traced: list[Publication] = []
        """The events themselves, if they are traced."""
        self.latest: dict[bytes, Record] = {}
        """The records of the compacted topic, by key; added last, because the last one of a key counts."""


class Publisher:
    """Publishes the batches of all partitions.

    Args:
        target: The topics and the group of every transaction.
        deliveries: Makes the records of events.
        dead_letters: Makes the records of dead letters.
        batch_metrics: Counts committed batches.
        metrics: Counts and times transactions.
        tracing: Traces published events.
    """

    def __init__(
        self,
        target: TransactionTarget,
        *,
        deliveries: DeliveryRecords,
        dead_letters: DeadLetterRecords,
        batch_metrics: BatchMetrics,
        metrics: TrackerMetrics,
        tracing: Tracing,
    ) -> None:
        self._target, self._deliveries, self._dead_letters = target, deliveries, dead_letters
        self._batch_metrics, self._metrics, self._tracing = batch_metrics, metrics, tracing

    def encode_events(self, batch: Batch, outgoing: Outgoing) -> None:
        """Encode the batch's new events."""
        publications = batch.take_publications()
        records = self._deliveries.make(publications)
        outgoing.batches.add(records)
        outgoing.counts.add(publications)
        if self._tracing.active:
            outgoing.traced += publications
        outgoing.latest.update(self._deliveries.make_latest(publications, records))

    def skip(self, batch: Batch, outgoing: Outgoing) -> None:
        """Count a batch that changes nothing. A later transaction commits its offset."""
        self._batch_metrics.record(batch, outgoing.counts, ())

    async def publish(
        self,
        owned: OwnedPartition,
        producer: AIOKafkaProducer,
        batch: Batch,
        outgoing: Outgoing,
        committed: JournalOffset,
    ) -> None:
        """Commit a batch together with the journal's offset, then update the cache and the metrics.

        Args:
            owned: The partition.
            producer: Its transactional producer.
            batch: The folded entries and expired timers.
            outgoing: The batch's events, encoded.
            committed: The journal offset to commit.

        Raises:
            KafkaError: The transaction may not be committed. A new producer has to settle it.
            TimeoutError: The same.
        """
        changes, journal, batches = batch.changes, TopicPartition(self._target.journal, owned.number), outgoing.batches
        batches.add(outgoing.latest.values())
        batches.add(make_state_records(changes, self._target.state, owned.number))
        batches.add(await self._dead_letters.make(journal, batch.dead_letters))
        with self._metrics.transaction_duration.time():
            try:
                end = await commit_transaction(producer, batches, self._target, journal, committed)
            except BaseException:
                self._metrics.transactions_completed.labels("failed").inc()
                raise
        self._metrics.transactions_completed.labels("committed").inc()
        if end is not None:
            owned.store.apply(changes, committed.journal_id, end)
        self._batch_metrics.record(batch, outgoing.counts, changes)
        self._tracing.trace_published(outgoing.traced)
