"""Rebuilds a lost partition of the state topic: folds its journal once more up to the committed offset.

Nothing is published. The journal has everything that attempts depend on but the timers. Whether and when one took
effect is in what was written then: a deadline's event, or the dead letters of parked reports.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from aiokafka import TopicPartition

from bridge.clock import now_ms
from bridge.core.attempt import Parked, Policy
from bridge.core.lifecycle import expire
from bridge.journal.horizon import NOTHING_FORGOTTEN
from bridge.journal.offsets import REBUILDING, JournalOffset
from bridge.journal.reader import JournalReader
from bridge.kafka.clients import KafkaClients
from bridge.kafka.producers import abort_producer
from bridge.kafka.records import RecordBatches
from bridge.state.keys import StateChange, StoredAttempt
from bridge.state.partition import PartitionStore
from bridge.tracker.batch import Batch
from bridge.tracker.recovery import make_transactional_id
from bridge.tracker.transaction import TransactionTarget, commit_transaction, make_state_records

SLICE_MS, SLICE_ENTRIES = 1_000, 500
"""Entries are folded together when they came within this time; timers that run out between them are seen after it."""

TRANSACTION_STATES = 2_000
READ_TIMEOUT_MS = 10_000
EXPIRE_AT_ONCE = 500
NEVER = 2**62
"""The timer of an attempt whose deadline took no effect before the topic was lost."""


class TimerEffects(NamedTuple):
    """The timers of a partition that took effect."""

    deadlines: Mapping[str, int]
    """When deadlines did, in milliseconds since the epoch, by the ids of their events."""
    discarded: Collection[int]
    """The offsets of reports that were parked for too long."""


class Refold:
    """Folds one partition's journal into a store.

    Args:
        store: An empty store.
        policy: The settings that the fold depends on.
        effects: The timers that took effect.
    """

    def __init__(self, store: PartitionStore, policy: Policy, effects: TimerEffects) -> None:
        self._store, self._policy, self._effects = store, policy, effects
        self._horizon = NOTHING_FORGOTTEN

    def fold(self, records: Sequence[Any]) -> Iterator[list[StateChange]]:
        """Fold records in order, each after the timers that ran out before it, and yield how attempts change."""
        # A report that was parked and discarded changed nothing else.
        records = [record for record in records if record.offset not in self._effects.discarded]
        while records:
            yield from self._expire_until(records[0].timestamp)
            end = min(records[0].timestamp + SLICE_MS, self._store.next_due() or NEVER)
            count = next((n for n, record in enumerate(records) if record.timestamp >= end), len(records))
            batch = self._make_batch()
            batch.fold(records[: max(1, count)])
            yield self._apply(batch)
            records = records[max(1, count) :]

    def finish(self, now: int) -> Iterator[list[StateChange]]:
        """Let the timers take effect that did after the last entry."""
        yield from self._expire_until(now)

    def _expire_until(self, now: int) -> Iterator[list[StateChange]]:
        while keys := self._store.due(now, EXPIRE_AT_ONCE):
            known = zip(keys, self._store.get(keys), strict=True)
            times = {key: self._find_expiry(key, one) for key, one in known if one}
            self._store.put_off({key: at for key, at in times.items() if at > now})
            batch = self._make_batch()
            for key, at in times.items():
                if at <= now:
                    batch.expire([key], at)
            yield self._apply(batch)

    def _find_expiry(self, key: str, known: StoredAttempt) -> int:
        """Find when a timer took effect; `NEVER` if it didn't."""
        state = known.state
        if isinstance(state, Parked):
            return NEVER if self._policy.dead_letter_unmatched else known.timer
        if state.final_at is not None:
            return known.timer
        (publication,) = expire(key, state, known.timer, self._policy).publications
        return self._effects.deadlines.get(publication.delivery.event_id, NEVER)

    def _make_batch(self) -> Batch:
        return Batch(self._store, self._policy, horizon=self._horizon)

    def _apply(self, batch: Batch) -> list[StateChange]:
        changes = batch.changes
        self._horizon = batch.compute_horizon(0)
        self._store.apply(changes, "rebuild", 0)
        return changes


class LostPartition(NamedTuple):
    """A partition of the journal whose states are lost."""

    tp: TopicPartition
    start: int
    """The first offset that the journal still has."""
    committed: JournalOffset
    effects: TimerEffects


class StateRebuilder(NamedTuple):
    """Rebuilds partitions of the state topic, one after the other, while no bridge runs."""

    kafka: KafkaClients
    target: TransactionTarget
    policy: Policy
    journal_id: str
    """A new one, so that caches of the lost topic are discarded."""
    note_progress: Callable[[int], None]
    """Called with how many entries were folded."""

    async def rebuild(self, lost: LostPartition, store: PartitionStore) -> int:
        """Rebuild a partition; when interrupted, it has to be rebuilt again before a bridge starts.

        Returns:
            How many attempts are open again.

        Raises:
            KafkaError: Kafka refuses, or a bridge runs.
        """
        producer = await self.kafka.producer(make_transactional_id(self.target.group, lost.tp))
        unfinished = lost.committed._replace(state_end=REBUILDING)
        end = 0
        try:
            async for changes in self._fold(lost, Refold(store, self.policy, lost.effects)):
                batches = RecordBatches(producer)
                batches.add(make_state_records(changes, self.target.state, lost.tp.partition))
                end = await commit_transaction(producer, batches, self.target, lost.tp, unfinished) or end
            finished = lost.committed._replace(state_end=end, journal_id=self.journal_id)
            await commit_transaction(producer, RecordBatches(producer), self.target, lost.tp, finished)
        finally:
            await abort_producer(producer)
        return store.followed.total()

    async def _fold(self, lost: LostPartition, refold: Refold) -> AsyncIterator[list[StateChange]]:
        offset, pending = lost.start, list[StateChange]()
        yield pending  # before anything is written, the commit says that the partition isn't whole
        async with JournalReader.open(self.kafka, lost.tp) as reader:
            await reader.seek(offset)
            while offset < lost.committed.offset:
                records = [
                    record
                    for record in await reader.take(SLICE_ENTRIES, READ_TIMEOUT_MS)
                    if record.offset < lost.committed.offset
                ]
                if not records:
                    break  # what is left are no records
                for changes in refold.fold(records):
                    pending += changes
                    await asyncio.sleep(0)
                    if len(pending) >= TRANSACTION_STATES:
                        yield pending
                        pending = []
                self.note_progress(records[-1].offset + 1 - offset)
                offset = records[-1].offset + 1
        for changes in refold.finish(now_ms()):
            pending += changes
        yield pending
