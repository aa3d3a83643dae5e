"""Brings a partition's store to the end of the state topic: by what is new there, or from nothing."""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import structlog
from aiokafka import TopicPartition

from bridge.clock import now_ms
from bridge.concurrency import yield_slices
from bridge.kafka.clients import KafkaClients
from bridge.kafka.consumers import close_consumer
from bridge.observability.metrics import StoreMetrics
from bridge.state.keys import PartitionMeta, StateChange
from bridge.state.partition import PartitionStore
from bridge.state.progress import Progress
from bridge.state.serde import decode_state

SLICE_STATES = 100
"""States that are written at a time, in about a millisecond."""

STALL_TIMEOUT = 30
"""Seconds without progress after which the restore starts again."""

log = structlog.get_logger(__name__)


class Restore(NamedTuple):
    """One restore of one partition."""

    kafka: KafkaClients
    tp: TopicPartition
    """The partition of the state topic. Nobody else writes to it any more."""
    store: PartitionStore
    """What is restored."""
    journal_id: str
    """A cache of another journal is dropped."""
    tombstone_retention_ms: int
    """How long the state topic keeps tombstones; an older cache may have missed some."""
    metrics: StoreMetrics
    note_progress: Callable[[int], None]
    """Called with how many entries remain, whenever there is progress."""

    async def run(self, end: int) -> None:
        """Bring the store to this offset.

        Raises:
            KafkaError: The state topic can't be read.
            TimeoutError: The reading makes no progress.
        """
        position = self.store.position
        unusable = find_fault(position, end, self.journal_id, self.tombstone_retention_ms)
        offset = position.offset if position and not unusable else 0
        if unusable:
            self.store.clear()
            if end:
                self.metrics.caches_rebuilt.labels(unusable).inc()
                log.info("rebuilding cache", partition=self.tp.partition, cause=unusable)
        if offset < end:
            with self.metrics.restore_duration.time():
                await self._read(offset, end)
            self.store.flush()

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
                async with asyncio.timeout(STALL_TIMEOUT):
                    offset = await self._read_some(reader, offset)
                left = max(0, end - offset)
                self.note_progress(left)
                remaining.dec(counted - left)
                progress.advance(counted - left, left)
                counted = left
        finally:
            remaining.dec(counted)
            await close_consumer(reader)
        seconds = round(time.monotonic() - started, 3)
        log.info("cache brought up to date", partition=self.tp.partition, offset=offset, seconds=seconds)

    async def _read_some(self, reader: Any, offset: int) -> int:
        """Read until there is progress. Transaction markers take offsets, so the reader's position is what counts."""
        while True:
            records = (await reader.getmany(self.tp, timeout_ms=200)).get(self.tp, [])
            async for some in yield_slices(records, SLICE_STATES):
                self.store.apply(make_changes(self.store, some), self.journal_id, some[-1].offset + 1)
            position: int = await reader.position(self.tp)
            if position > offset:
                self.store.apply((), self.journal_id, position)
                return position


def find_fault(
    position: PartitionMeta | None, end: int, journal_id: str, tombstone_retention_ms: int
) -> Literal["missing", "foreign", "ahead", "old"] | None:
    """Find why a cache can't be used as it is.

    Args:
        position: What it stands for.
        end: Where its partition of the state topic ends.
        journal_id: The id of today's journal.
        tombstone_retention_ms: How long the state topic keeps tombstones.
    """
    if position is None:
        return "missing"
    if position.journal_id != journal_id:
        return "foreign"
    if position.offset > end:
        return "ahead"
    age = now_ms() - position.written_at
    return "old" if age > tombstone_retention_ms and position.offset < end else None


def make_changes(store: PartitionStore, records: Sequence[Any]) -> list[StateChange]:
    """Make the changes that records of the state topic are to a cache."""
    last = {record.key.decode(): record.value for record in records}
    before = store.get(list(last))
    return [
        StateChange(key, known, None if value is None else decode_state(value), value or b"")
        for (key, value), known in zip(last.items(), before, strict=True)
    ]
