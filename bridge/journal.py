"""The journal: everything learnt about attempts, in the order in which it was learnt. Append to it.

The intake, the receiver and the poller append; what it holds is decided in `core/entries.py`.
"""

import asyncio
from collections.abc import Iterable

from bridge.codec import encode_entry
from bridge.core.entries import Entry, attempt_key
from bridge.kafka.appender import Appender
from bridge.kafka.clients import Record
from bridge.kafka.partitioner import partition_for


class Journal:
    """The journal as its writers see it.

    Args:
        appender: Takes the records to Kafka.
        topic: The journal's name.
        partitions: How many it has.
    """

    def __init__(self, appender: Appender, topic: str, partitions: int) -> None:
        self._appender, self._topic, self._partitions = appender, topic, partitions

    @property
    def ready(self) -> bool:
        """Whether it can be written to."""
        return self._appender.ready

    def record(self, entry: Entry) -> Record:
        """An entry as a record, keyed by its attempt."""
        key = attempt_key(entry.provider, entry.account, entry.provider_message_id).encode()
        return Record(self._topic, partition_for(key, self._partitions), key, encode_entry(entry))

    def append(self, records: Iterable[Record]) -> asyncio.Future[None]:
        """Append entries, and dead letters in their place; see `Appender.append`."""
        return self._appender.append(records)
