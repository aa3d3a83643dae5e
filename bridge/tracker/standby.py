"""Keeps the caches of other processes' partitions warm, so that a takeover restores little (STATE__STANDBY).

It reads the state topic, as a restore does, but at its own pace: own partitions come first.
"""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from bridge.concurrency import yield_slices
from bridge.core.errors import StoreCorruptedError
from bridge.journal.offsets import fetch_journal_offsets
from bridge.kafka.clients import KafkaClients
from bridge.kafka.consumers import close_consumer, fetch
from bridge.kafka.errors import format_error
from bridge.kafka.topic_limits import TopicLimits
from bridge.observability.metrics import StoreMetrics
from bridge.settings.model import TopicSettings
from bridge.state.ownership import OwnedPartitions
from bridge.state.restore import SLICE_STATES, find_fault, make_changes
from bridge.state.store import Store

MAX_WAIT_MS = 500
"""Milliseconds to wait for states; nobody else waits for them."""

MAX_RECORDS = 2_000
MAX_SHARE = 0.25
"""The share of the time that is spent while the process has partitions of its own."""

RETRY_PAUSE = 5.0
"""Seconds before a failure is tried again."""

log = structlog.get_logger(__name__)


class Standby:
    """Follows the states of all partitions that this process doesn't own.

    Args:
        kafka: Makes the reader.
        admin: Looks up the journal's committed offsets.
        group: The tracker's group.
        topics: The topics' names.
        limits: The topics' sizes and retention.
        store: The caches of all partitions.
        owned: The partitions of this process, which are left alone.
        metrics: Show how far behind each cache is.
    """

    def __init__(
        self,
        kafka: KafkaClients,
        admin: Any,
        group: str,
        *,
        topics: TopicSettings,
        limits: TopicLimits,
        store: Store,
        owned: OwnedPartitions,
        metrics: StoreMetrics,
    ) -> None:
        self._kafka, self._admin, self._group = kafka, admin, group
        self._topics, self._limits = topics, limits
        self._store, self._owned, self._metrics = store, owned, metrics
        self._journal_ids: dict[TopicPartition, str] = {}
        """By partition of the state topic, of those that are read."""

    async def run(self) -> None:
        """Follow until cancelled. A failure costs nothing but time."""
        while True:
            try:
                await self._follow()
            except StoreCorruptedError:
                pass  # the tracker rebuilds the store
            except (KafkaError, OSError, TimeoutError) as error:
                log.debug("restarting the standby", error=format_error(error))
            self._show([])
            await asyncio.sleep(RETRY_PAUSE)

    async def _follow(self) -> None:
        reader = await self._kafka.reader(committed=True, max_wait_ms=MAX_WAIT_MS)
        version = -1
        try:
            while True:
                if version != self._owned.version:
                    version = self._owned.version
                    await self._assign(reader)
                if not self._journal_ids:
                    await asyncio.sleep(MAX_WAIT_MS / 1000)
                    continue
                batches = await fetch(reader, timeout_ms=MAX_WAIT_MS, max_records=MAX_RECORDS)
                for tp, records in batches.items():
                    await self._apply(tp, records, version)
                self._measure(reader)
        finally:
            await close_consumer(reader)

    async def _assign(self, reader: AIOKafkaConsumer) -> None:
        """Read on where each cache stands, from nothing where it can't be used."""
        self._journal_ids = {}
        numbers = self._owned.list_free()
        states = [TopicPartition(self._topics.state, number) for number in numbers]
        if not states:
            return
        begins, ends = await reader.beginning_offsets(states), await reader.end_offsets(states)
        journals = [TopicPartition(self._topics.journal, number) for number in numbers]
        committed = await fetch_journal_offsets(self._admin, self._group, journals)
        offsets: dict[TopicPartition, int] = {}
        free = set(self._owned.list_free())
        for tp, journal in zip(states, journals, strict=True):
            at = committed.get(journal)
            # What isn't as it should be is the owner's to judge.
            if at and tp.partition in free and ends[tp] >= at.state_end:
                store = self._store.partition(tp.partition)
                if find_fault(store.position, ends[tp], at.journal_id, self._limits.tombstone_retention_ms):
                    store.clear()
                offsets[tp] = max(store.position.offset if store.position else 0, begins[tp])
                self._journal_ids[tp] = at.journal_id
        reader.assign(list(offsets))
        for tp, offset in offsets.items():
            reader.seek(tp, offset)

    async def _apply(self, tp: TopicPartition, records: Sequence[Any], version: int) -> None:
        """Write states to the cache, unless the partition may have become this process's own meanwhile."""
        async for some in yield_slices(records, SLICE_STATES):
            if version != self._owned.version or tp not in self._journal_ids:
                return
            began = time.monotonic()
            store = self._store.partition(tp.partition)
            store.apply(make_changes(store, some), self._journal_ids[tp], some[-1].offset + 1)
            if self._owned.numbers:
                await asyncio.sleep((time.monotonic() - began) * (1 / MAX_SHARE - 1))

    def _measure(self, reader: AIOKafkaConsumer) -> None:
        behind = []
        for tp in self._journal_ids:
            position = self._store.partition(tp.partition).position
            end = reader.highwater(tp) or 0
            behind.append((tp.partition, max(0, end - (position.offset if position else 0))))
        self._show(behind)

    def _show(self, behind: Sequence[tuple[int, int]]) -> None:
        self._metrics.standby_entries_remaining.clear()
        for number, entries in behind:
            self._metrics.standby_entries_remaining.labels(str(number)).set(entries)
