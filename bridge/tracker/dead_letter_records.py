"""The tracker's dead letters: what is wrong is known, the original bytes are read again where they came from.

The journal holds a report's words, and of a sent event its position in its own topic.
"""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

import structlog
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from bridge.clock import now_ms
from bridge.core.entries import Report
from bridge.core.errors import PoisonMessageError
from bridge.dead_letters import DeadLetter, DeadLetters, SourcePosition
from bridge.journal.serde import decode_entry
from bridge.kafka.clients import KafkaClients, format_error
from bridge.kafka.consumers import close_consumer
from bridge.kafka.records import Record
from bridge.tracker.batch import PendingDeadLetter

MAX_GAP = 100
"""Offsets up to which reading on is quicker than seeking."""

READ_TIMEOUT = 10.0
"""Seconds for all originals of one partition."""

FETCH_TIMEOUT_MS = 2_000
"""To wait for a record that should be there."""

GONE = "; its original is no longer in Kafka"

log = structlog.get_logger(__name__)

Originals = Mapping[TopicPartition, Mapping[int, Any]]
"""Records that were read again, by their position."""


class DeadLetterRecords:
    """Makes the records of the tracker's dead letters.

    Args:
        kafka: Reads originals again.
        dead_letters: Makes records of letters.
    """

    def __init__(self, kafka: KafkaClients, dead_letters: DeadLetters) -> None:
        self._kafka, self._dead_letters = kafka, dead_letters

    async def make(self, journal: TopicPartition, pending: Iterable[PendingDeadLetter]) -> list[Record]:
        """Make the records of these dead letters, with their originals where those are still in Kafka."""
        pending = tuple(pending)
        wanted: dict[TopicPartition, set[int]] = {}
        for one in pending:
            if one.value is None:
                source = _source(journal, one)
                wanted.setdefault(TopicPartition(source.topic, source.partition), set()).add(source.offset)
        originals = {tp: await self._read_again(tp, offsets) for tp, offsets in wanted.items()}
        letters = (_make_letter(one, _source(journal, one), originals) for one in pending)
        return [self._dead_letters.to_record(letter) for letter in letters]

    async def _read_again(self, tp: TopicPartition, offsets: set[int]) -> dict[int, Any]:
        """Read the records at these offsets; those that can't be read any more, or not soon, are missing."""
        found: dict[int, Any] = {}
        try:
            async with asyncio.timeout(READ_TIMEOUT):
                reader = await self._kafka.reader(committed=False)
                try:
                    await _collect(reader, tp, offsets, found)
                finally:
                    await close_consumer(reader)
        except (KafkaError, OSError) as error:
            # It may be another team's topic: gone, or not readable. An original isn't worth stopping the partition.
            log.warning(
                "originals of dead letters can't be read",
                topic=tp.topic,
                partition=tp.partition,
                error=format_error(error),
            )
        return found


def _source(journal: TopicPartition, pending: PendingDeadLetter) -> SourcePosition:
    if pending.origin:
        return SourcePosition(*pending.origin)
    return SourcePosition(journal.topic, journal.partition, pending.rejection.offset)


def _make_letter(pending: PendingDeadLetter, source: SourcePosition, originals: Originals) -> DeadLetter:
    key, value = None, pending.value
    if value is None:
        record = originals[TopicPartition(source.topic, source.partition)].get(source.offset)
        if record is not None:
            key, value = (record.key, record.value) if pending.origin else (None, _read_words(record))
    provider, _, account = pending.full_account.partition(":")
    return DeadLetter(
        reason=pending.rejection.reason.value,
        error=pending.rejection.error + ("" if value is not None else GONE),
        key=key,
        value=value if value is not None else b"",
        received_at=now_ms(),
        source=source,
        provider=provider or None,
        account=account or None,
    )


def _read_words(record: Any) -> bytes:
    """A report's words, out of its entry; of what is no report, the whole value."""
    try:
        entry = decode_entry(record.value)
    except PoisonMessageError:
        entry = None
    value: bytes = entry.raw.encode() if isinstance(entry, Report) else record.value
    return value


async def _collect(reader: Any, tp: TopicPartition, offsets: set[int], found: dict[int, Any]) -> None:
    reader.assign([tp])
    first = (await reader.beginning_offsets([tp]))[tp]
    position: int | None = None
    for offset in sorted(offset for offset in offsets if offset >= first):
        if position is None or not position <= offset <= position + MAX_GAP:
            reader.seek(tp, offset)
            position = offset
        while position <= offset:
            records = (await reader.getmany(tp, timeout_ms=FETCH_TIMEOUT_MS, max_records=MAX_GAP)).get(tp, [])
            found.update((record.offset, record) for record in records if record.offset in offsets)
            position = records[-1].offset + 1 if records else offset + 1
