"""Appends entries to the journal: for the intake, the receiver, the poller and `replay`."""

import asyncio
from collections.abc import Iterable

from bridge.core.entries import Entry
from bridge.journal.serde import encode_entry
from bridge.kafka.batching_producer import BatchingProducer
from bridge.kafka.partitioner import partition_for
from bridge.kafka.records import Record

MAX_ENTRY_BYTES = 512 * 1024
"""Largest journal entry: an event or a state made from it stays below a broker's default limit of 1 MiB."""


class JournalWriter:
    """Writes to the journal.

    Args:
        producer: Sends the records to Kafka.
        topic: The journal's name.
        partitions: How many it has.
    """

    def __init__(self, producer: BatchingProducer, topic: str, partitions: int) -> None:
        self._producer, self._topic, self._partitions = producer, topic, partitions

    @property
    def ready(self) -> bool:
        """Whether the journal can be written to."""
        return self._producer.ready

    def to_record(self, entry: Entry) -> Record:
        """Make the record of an entry, keyed by its attempt."""
        key = entry.key.encode()
        return Record(self._topic, partition_for(key, self._partitions), key, encode_entry(entry))

    def append(self, records: Iterable[Record]) -> asyncio.Future[None]:
        """Append entries, and dead letters between them, in order; see `BatchingProducer.append`."""
        return self._producer.append(records)
