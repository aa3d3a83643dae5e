"""The journal: everything learnt about attempts, in the order in which it was learnt. Append to it; read it again.

The intake, the receiver and the poller append; what it holds is decided in `core/entries.py`.
"""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any

import structlog
from aiokafka import TopicPartition
from aiokafka.errors import OffsetOutOfRangeError

from bridge.appender import Appender
from bridge.codec import decode_entry, encode_entry
from bridge.core.entries import Entry, Report, attempt_key
from bridge.core.errors import Poison
from bridge.kafka import Kafka, Record, stopped
from bridge.partitioner import partition_for

log = structlog.get_logger(__name__)


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


async def read_words(kafka: Kafka, tp: TopicPartition, offsets: Sequence[int]) -> dict[int, Report]:
    """The reports at these offsets of the journal, as they were written; those that retention removed are missing.

    Raises:
        KafkaError: The journal can't be read.
    """
    found: dict[int, Report] = {}
    reader = await kafka.reader(committed=False)
    try:
        reader.assign([tp])
        first = (await reader.beginning_offsets([tp]))[tp]
        for offset in sorted(offset for offset in offsets if offset >= first):
            reader.seek(tp, offset)
            record = await _one(reader, tp, offset)
            entry = decode_entry(record.value) if record else None
            if isinstance(entry, Report):
                found[offset] = entry
    except (Poison, OffsetOutOfRangeError) as error:
        log.warning("words of the journal can't be read again", error=str(error))
    finally:
        await stopped(reader.stop(), "consumer")
    return found


async def _one(reader: Any, tp: TopicPartition, offset: int) -> Any:
    records = (await reader.getmany(tp, timeout_ms=5_000, max_records=1)).get(tp, ())
    return next((record for record in records if record.offset == offset), None)
