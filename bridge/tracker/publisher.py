"""A batch becomes a transaction: its records are made, committed, and only then remembered and counted."""

from aiokafka import AIOKafkaProducer, TopicPartition

from bridge.journal.offsets import JournalOffset
from bridge.kafka.records import Record
from bridge.observability.metrics import TrackerMetrics
from bridge.observability.tracing import Tracing
from bridge.state.ownership import OwnedPartition
from bridge.tracker.batch import Batch
from bridge.tracker.batch_metrics import BatchMetrics
from bridge.tracker.dead_letter_records import DeadLetterRecords
from bridge.tracker.delivery_records import DeliveryRecords
from bridge.tracker.transaction import TransactionTarget, commit_transaction, make_state_records


class Publisher:
    """Publishes the batches of all partitions.

    Args:
        target: Where transactions are written.
        deliveries: Makes the records of events.
        dead_letters: Makes the records of dead letters.
        batch_metrics: Counts what was committed.
        metrics: Is told of transactions.
        tracing: Is told of published events.
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

    def encode_events(self, batch: Batch, encoded: list[Record]) -> None:
        """Make the records of those events that have none yet: slice by slice, while they are in the CPU's cache."""
        encoded += self._deliveries.make(batch.publications[len(encoded) :])

    def skip(self, batch: Batch) -> None:
        """Count a batch that changes nothing; its offset goes with a later commit."""
        self._batch_metrics.record(batch)

    async def publish(
        self,
        owned: OwnedPartition,
        producer: AIOKafkaProducer,
        batch: Batch,
        events: list[Record],
        committed: JournalOffset,
    ) -> None:
        """Commit a batch together with the journal's offset, then remember and count it.

        Args:
            owned: The partition.
            producer: Its transactional producer.
            batch: What was folded.
            events: The records of the batch's events.
            committed: The journal's offset, up to which it is folded now.

        Raises:
            KafkaError: It isn't known to be committed; the producer must be replaced, and its successor finds out.
            TimeoutError: The same.
        """
        changes, journal = batch.changes, TopicPartition(self._target.journal, owned.number)
        records = [
            *events,
            *self._deliveries.make_latest(batch.publications, events),
            *make_state_records(changes, self._target.state, owned.number),
            *await self._dead_letters.make(journal, batch.dead_letters),
        ]
        with self._metrics.transaction_duration.time():
            try:
                end = await commit_transaction(producer, records, self._target, journal, committed)
            except BaseException:
                self._metrics.transactions_completed.labels("failed").inc()
                raise
        self._metrics.transactions_completed.labels("committed").inc()
        if end is not None:
            owned.store.apply(changes, committed.journal_id, end)
        self._batch_metrics.record(batch)
        self._tracing.trace_published(batch.publications)
