"""Reads originals of dead letters again, by partition and offset: with one consumer, within a time limit."""

import asyncio
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from bridge.kafka.clients import KafkaClients
from bridge.kafka.consumers import close_consumer
from bridge.kafka.errors import format_error

BUDGET_SECONDS = 0.25
"""For all records of one partition and batch; meanwhile the worker publishes nothing."""

HANG_SECONDS = 0.75
"""Longest wait for a broker that doesn't answer."""

AVOID_SECONDS = 60.0
"""How long a partition that can't be read isn't tried again."""

MAX_GAP = 100
"""Longest distance between offsets for which reading on is faster than seeking."""

MAX_FETCH_BYTES = 64 * 1024
"""Bytes of a fetch: small, since few of its records are wanted."""

log = structlog.get_logger(__name__)


class SourceReader:
    """Reads records again. The consumer is made at first use and kept.

    Args:
        kafka: Makes the consumer.
    """

    def __init__(self, kafka: KafkaClients) -> None:
        self._kafka = kafka
        self._consumer: AIOKafkaConsumer | None = None
        self._lock = asyncio.Lock()
        self._avoid_until: dict[TopicPartition, float] = {}

    async def read(self, tp: TopicPartition, offsets: Collection[int]) -> dict[int, Any]:
        """Read the records at these offsets. Those that are gone or not read within the time limit are missing."""
        found: dict[int, Any] = {}
        started = time.monotonic()
        if started < self._avoid_until.get(tp, 0.0):
            return found
        try:
            async with asyncio.timeout(HANG_SECONDS), self._lock:
                if self._consumer is None:
                    self._consumer = await self._kafka.reader(committed=False, max_fetch_bytes=MAX_FETCH_BYTES)
                with _assigned(self._consumer, tp):
                    await _collect(self._consumer, tp, offsets, found, started + BUDGET_SECONDS)
        except (KafkaError, OSError) as error:
            # The topic may be another team's: deleted, or not readable. That must not stop the partition.
            log.warning(
                "originals of dead letters can't be read",
                topic=tp.topic,
                partition=tp.partition,
                error=format_error(error),
            )
            self._avoid_until[tp] = time.monotonic() + AVOID_SECONDS
            await self.close()
        return found

    async def close(self) -> None:
        """Close the consumer."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await close_consumer(consumer)


@contextmanager
def _assigned(consumer: AIOKafkaConsumer, tp: TopicPartition) -> Iterator[None]:
    consumer.assign([tp])
    try:
        yield
    finally:
        consumer.pause(tp)  # otherwise it would go on fetching


async def _collect(
    consumer: AIOKafkaConsumer, tp: TopicPartition, offsets: Collection[int], found: dict[int, Any], deadline: float
) -> None:
    first = (await consumer.beginning_offsets([tp]))[tp]
    end = (await consumer.end_offsets([tp]))[tp]
    position: int | None = None
    for offset in sorted(offset for offset in offsets if first <= offset < end):
        if position is None or not position <= offset <= position + MAX_GAP:
            consumer.seek(tp, offset)
            position = offset
        while position <= offset:
            left_ms = int((deadline - time.monotonic()) * 1000)
            if left_ms <= 0:
                return
            records = (await consumer.getmany(tp, timeout_ms=left_ms, max_records=MAX_GAP)).get(tp, [])
            found.update((record.offset, record) for record in records if record.offset in offsets)
            # A gap that compaction or transaction markers leave: nothing is at the offset.
            position = records[-1].offset + 1 if records else await consumer.position(tp)
            if not records and position <= offset:
                return
