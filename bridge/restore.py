"""A partition's cache is brought to the end of the state topic: by what is new there, or from nothing."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import structlog
from aiokafka import TopicPartition

from bridge.codec import decode_state
from bridge.kafka import Kafka, stopped
from bridge.metrics import Metrics
from bridge.store import Attempts, Change

SLICE = 500
"""States that are written at a time; the event loop runs in between."""

STALLED_AFTER = 30
"""Seconds without progress after which the reading is begun again."""

log = structlog.get_logger(__name__)


async def restore(
    kafka: Kafka,
    tp: TopicPartition,
    end: int,
    attempts: Attempts,
    incarnation: str,
    tombstones_live: int,
    metrics: Metrics,
) -> None:
    """Bring a cache up to date.

    Args:
        kafka: Makes the reader.
        tp: The partition of the state topic.
        end: Its end offset; nobody else writes to it any more.
        attempts: The cache.
        incarnation: The journal's; a cache of another one is dropped.
        tombstones_live: Milliseconds that the state topic keeps tombstones; an older cache may have missed some.
        metrics: Told how much remains.

    Raises:
        KafkaError: The state topic can't be read.
        TimeoutError: The reading makes no progress.
    """
    offset = _usable_offset(attempts, end, incarnation, tombstones_live)
    if offset is None:
        attempts.clear()
        offset = 0
    if offset >= end:
        return
    with metrics.restore_duration.time():
        await _read(kafka, tp, offset, end, attempts, incarnation, metrics)
    attempts.flush()


def _usable_offset(attempts: Attempts, end: int, incarnation: str, tombstones_live: int) -> int | None:
    position = attempts.position
    if position is None or position.incarnation != incarnation or position.offset > end:
        return None
    age = time.time_ns() // 1_000_000 - position.written_at
    return None if age > tombstones_live and position.offset < end else position.offset


async def _read(
    kafka: Kafka, tp: TopicPartition, offset: int, end: int, attempts: Attempts, incarnation: str, metrics: Metrics
) -> None:
    started, first = time.monotonic(), offset
    remaining = metrics.restore_entries_remaining
    counted = end - offset
    remaining.inc(counted)
    reader = await kafka.reader(committed=True)
    try:
        reader.assign([tp])
        reader.seek(tp, max(offset, (await reader.beginning_offsets([tp]))[tp]))
        while offset < end:
            async with asyncio.timeout(STALLED_AFTER):
                offset = await _some(reader, tp, offset, attempts, incarnation)
            remaining.dec(counted - max(0, end - offset))
            counted = max(0, end - offset)
    finally:
        remaining.dec(counted)
        await stopped(reader.stop(), "consumer")
    seconds = time.monotonic() - started
    log.info("cache brought up to date", partition=tp.partition, states=end - first, seconds=round(seconds, 3))


async def _some(reader: Any, tp: TopicPartition, offset: int, attempts: Attempts, incarnation: str) -> int:
    """Read until there is progress; transaction markers take offsets, so the reader's position counts, not records."""
    while True:
        records = (await reader.getmany(tp, timeout_ms=200)).get(tp, [])
        for start in range(0, len(records), SLICE):
            part = records[start : start + SLICE]
            attempts.apply(_changes(attempts, part), incarnation, part[-1].offset + 1)
            await asyncio.sleep(0)
        position: int = await reader.position(tp)
        if position > offset:
            attempts.apply((), incarnation, position)
            return position


def _changes(attempts: Attempts, records: Sequence[Any]) -> list[Change]:
    last = {record.key.decode(): record.value for record in records}
    before = attempts.get(list(last))
    return [
        Change(key, known, None if value is None else decode_state(value), value or b"")
        for (key, value), known in zip(last.items(), before, strict=True)
    ]
