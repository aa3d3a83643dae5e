"""Dead letters of the tracker: what was wrong is known, the original bytes are read again where they came from.

The journal holds an attempt's reports as their words, and of a sent event where it stands in its own topic.
"""

import asyncio
import time
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import structlog
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from bridge.core.entries import Report
from bridge.core.errors import PoisonMessageError
from bridge.dead_letters import DeadLetters
from bridge.journal.serde import decode_entry
from bridge.kafka.clients import KafkaClients, format_error
from bridge.kafka.consumers import close_consumer
from bridge.kafka.records import Record
from bridge.tracker.batch import PendingDeadLetter

NEAR = 100
"""Offsets up to which reading on is quicker than seeking."""

READ_WITHIN = 10.0
"""Seconds for all originals of one partition."""

WAIT = 2_000
"""Milliseconds to wait for a record that should be there."""

GONE = "; its original is no longer in Kafka"

log = structlog.get_logger(__name__)


class SourceRecord(NamedTuple):
    """Where something came from, and what it was if it is still there."""

    tp: TopicPartition
    offset: int
    key: bytes | None = None
    value: bytes | None = None


async def make_dead_letters(
    kafka: KafkaClients, journal: TopicPartition, complaints: Iterable[PendingDeadLetter], letters: DeadLetters
) -> list[Record]:
    """The records of these dead letters, with their originals where those can be had."""
    complaints = tuple(complaints)
    wanted: dict[TopicPartition, set[int]] = {}
    for complaint in complaints:
        if complaint.value is None:
            tp, offset = _place(journal, complaint)
            wanted.setdefault(tp, set()).add(offset)
    found = {tp: await _read_again(kafka, tp, offsets) for tp, offsets in wanted.items()}
    return [_letter(letters, complaint, _original(journal, complaint, found)) for complaint in complaints]


def _place(journal: TopicPartition, complaint: PendingDeadLetter) -> tuple[TopicPartition, int]:
    if complaint.origin:
        topic, partition, offset = complaint.origin
        return TopicPartition(topic, partition), offset
    return journal, complaint.letter.offset


def _original(
    journal: TopicPartition, complaint: PendingDeadLetter, found: Mapping[TopicPartition, Mapping[int, Any]]
) -> SourceRecord:
    tp, offset = _place(journal, complaint)
    if complaint.value is not None:
        return SourceRecord(tp, offset, None, complaint.value)
    record = found[tp].get(offset)
    if record is None:
        return SourceRecord(tp, offset)
    return SourceRecord(tp, offset, record.key, record.value) if complaint.origin else _words(tp, record)


def _words(tp: TopicPartition, record: Any) -> SourceRecord:
    """A report's words, out of its entry."""
    try:
        entry = decode_entry(record.value)
    except PoisonMessageError:
        entry = None
    value = entry.raw.encode() if isinstance(entry, Report) else record.value
    return SourceRecord(tp, record.offset, None, value)


def _letter(letters: DeadLetters, complaint: PendingDeadLetter, original: SourceRecord) -> Record:
    provider, _, account = complaint.account.partition(":")
    return letters.record(
        complaint.letter.reason,
        complaint.letter.error + ("" if original.value is not None else GONE),
        key=original.key,
        value=original.value if original.value is not None else b"",
        origin={
            "source_topic": original.tp.topic,
            "source_partition": original.tp.partition,
            "source_offset": original.offset,
            "provider": provider or None,
            "account": account or None,
        },
        received_at=time.time_ns() // 1_000_000,
    )


async def _read_again(kafka: KafkaClients, tp: TopicPartition, offsets: set[int]) -> dict[int, Any]:
    """The records at these offsets; those that can't be read any more, or not soon, are missing."""
    found: dict[int, Any] = {}
    try:
        async with asyncio.timeout(READ_WITHIN):
            reader = await kafka.reader(committed=False)
            try:
                await _collect(reader, tp, offsets, found)
            finally:
                await close_consumer(reader)
    except (KafkaError, OSError) as error:
        # It may be another team's topic: gone, or not ours to read. A dead letter's original isn't worth a partition.
        log.warning("originals can't be read again", topic=tp.topic, partition=tp.partition, error=format_error(error))
    return found


async def _collect(reader: Any, tp: TopicPartition, offsets: set[int], found: dict[int, Any]) -> None:
    reader.assign([tp])
    first = (await reader.beginning_offsets([tp]))[tp]
    position: int | None = None
    for offset in sorted(offset for offset in offsets if offset >= first):
        if position is None or not position <= offset <= position + NEAR:
            reader.seek(tp, offset)
            position = offset
        while position <= offset:
            records = (await reader.getmany(tp, timeout_ms=WAIT, max_records=NEAR)).get(tp, [])
            found.update((record.offset, record) for record in records if record.offset in offsets)
            position = records[-1].offset + 1 if records else offset + 1
