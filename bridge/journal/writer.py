"""Appends entries to the journal: for the intake, the receiver, the poller and `replay`."""

from bridge.core.entries import Entry
from bridge.core.errors import DeadLetterReason, PoisonMessageError
from bridge.journal.serde import encode_entry
from bridge.kafka.batching_producer import BatchingProducer
from bridge.kafka.partitioner import partition_for
from bridge.kafka.records import Record

MAX_ENTRY_BYTES = 512 * 1024
"""Largest journal entry: half a topic's default limit of 1 MiB, so that an event or a state made from it fits."""


def compute_max_entry_bytes(max_message_bytes: int) -> int:
    """Compute the size of the largest entry, by what the journal takes, and the topics of what is made from it."""
    return min(MAX_ENTRY_BYTES, max_message_bytes // 2)


class JournalWriter:
    """Writes to the journal.

    Args:
        producer: Sends the records to Kafka.
        topic: The journal's name.
        partitions: How many it has.
        max_message_bytes: What the journal takes, and the topics of what is made from it.
    """

    def __init__(
        self, producer: BatchingProducer, topic: str, partitions: int, max_message_bytes: int = 2 * MAX_ENTRY_BYTES
    ) -> None:
        self._producer, self._topic, self._partitions = producer, topic, partitions
        self.append = producer.append
        """Appends entries, and dead letters between them, in order; see `BatchingProducer.append`."""
        self._max_entry_bytes = compute_max_entry_bytes(max_message_bytes)

    @property
    def ready(self) -> bool:
        """Whether the journal can be written to."""
        return self._producer.ready

    def to_record(self, entry: Entry) -> Record:
        """Make the record of an entry, keyed by its attempt.

        Raises:
            PoisonMessageError: It is larger than the journal takes (`too_large`).
        """
        key = entry.key.encode()
        record = Record(self._topic, partition_for(key, self._partitions), key, encode_entry(entry))
        if record.size > self._max_entry_bytes:
            error = f"{record.size} bytes; the journal accepts {self._max_entry_bytes}"
            raise PoisonMessageError(DeadLetterReason.TOO_LARGE, error)
        return record
