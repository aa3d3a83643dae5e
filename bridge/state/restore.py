"""A partition's cache is brought to the end of the state topic: by what is new there, or from nothing."""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import structlog
from aiokafka import TopicPartition

from bridge.concurrency import yield_slices
from bridge.kafka.clients import KafkaClients
from bridge.kafka.consumers import close_consumer
from bridge.observability.metrics import Metrics
from bridge.state.keys import PartitionMeta, StateChange
from bridge.state.partition import PartitionStore
from bridge.state.progress import Progress
from bridge.state.serde import decode_state

TOGETHER = 100
"""States that are written at a time: a millisecond, as a rule; a thousand are no quicker."""

STALLED_AFTER = 30
"""Seconds without progress after which the reading is begun again."""

log = structlog.get_logger(__name__)


class Restore(NamedTuple):
    """What bringing a cache up to date takes."""

    kafka: KafkaClients
    tp: TopicPartition
    """The partition of the state topic. Nobody else writes to it any more."""
    attempts: PartitionStore
    """The cache."""
    incarnation: str
    """The journal's; a cache of another one is dropped."""
    tombstones_live: int
    """Milliseconds that the state topic keeps tombstones; an older cache may have missed some."""
    metrics: Metrics
    progress: Callable[[], None]
    """Called whenever there is some."""

    async def run(self, end: int) -> None:
        """Bring the cache to this offset.

        Raises:
            KafkaError: The state topic can't be read.
            TimeoutError: The reading makes no progress.
        """
        position = self.attempts.position
        unusable = self._unusable(position, end)
        offset = position.offset if position and not unusable else 0
        if unusable:
            self.attempts.clear()
            if end:
                self.metrics.caches_rebuilt.labels(unusable).inc()
                log.info("a cache is built anew", partition=self.tp.partition, cause=unusable)
        if offset < end:
            with self.metrics.restore_duration.time():
                await self._read(offset, end)
            self.attempts.flush()

    def _unusable(self, position: PartitionMeta | None, end: int) -> str | None:
        """Why the cache can't be used as it is."""
        if position is None:
            return "missing"
        if position.incarnation != self.incarnation:
            return "foreign"
        if position.offset > end:
            return "ahead"
        age = time.time_ns() // 1_000_000 - position.written_at
        return "old" if age > self.tombstones_live and position.offset < end else None

    async def _read(self, offset: int, end: int) -> None:
        started, counted = time.monotonic(), end - offset
        progress = Progress("bringing the cache up to date", self.tp.partition)
        remaining = self.metrics.restore_entries_remaining
        remaining.inc(counted)
        reader = await self.kafka.reader(committed=True)
        try:
            reader.assign([self.tp])
            reader.seek(self.tp, max(offset, (await reader.beginning_offsets([self.tp]))[self.tp]))
            while offset < end:
                async with asyncio.timeout(STALLED_AFTER):
                    offset = await self._some(reader, offset)
                self.progress()
                left = max(0, end - offset)
                remaining.dec(counted - left)
                progress.made(counted - left, left)
                counted = left
        finally:
            remaining.dec(counted)
            await close_consumer(reader)
        seconds = round(time.monotonic() - started, 3)
        log.info("cache brought up to date", partition=self.tp.partition, offset=offset, seconds=seconds)

    async def _some(self, reader: Any, offset: int) -> int:
        """Read until there is progress. Transaction markers take offsets: the reader's position counts, not records."""
        while True:
            records = (await reader.getmany(self.tp, timeout_ms=200)).get(self.tp, [])
            async for some in yield_slices(records, TOGETHER):
                self.attempts.apply(self._changes(some), self.incarnation, some[-1].offset + 1)
            position: int = await reader.position(self.tp)
            if position > offset:
                self.attempts.apply((), self.incarnation, position)
                return position

    def _changes(self, records: Sequence[Any]) -> list[StateChange]:
        last = {record.key.decode(): record.value for record in records}
        before = self.attempts.get(list(last))
        return [
            StateChange(key, known, None if value is None else decode_state(value), value or b"")
            for (key, value), known in zip(last.items(), before, strict=True)
        ]
