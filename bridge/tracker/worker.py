"""Runs one journal partition: recovers it, then folds entries, commits transactions and updates the cache in a loop."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition

from bridge.clock import now_ms
from bridge.concurrency import yield_slices
from bridge.core.attempt import Policy
from bridge.core.errors import StoreCorruptedError
from bridge.journal.offsets import JournalOffset
from bridge.kafka.consumers import confirm_membership
from bridge.kafka.errors import format_error
from bridge.observability.metrics import TrackerMetrics
from bridge.state.ownership import OwnedPartition
from bridge.state.progress import Progress
from bridge.tracker.batch import Batch
from bridge.tracker.pace import Pace
from bridge.tracker.publisher import Outgoing, Publisher
from bridge.tracker.quarantine import REFUSALS, Quarantine
from bridge.tracker.recovery import Recovered, Recovery
from bridge.tracker.restarts import MAX_PAUSE, MIN_PAUSE, RESTARTS, RefusedError, explain_restart
from bridge.tracker.timers import TimerRules, Timers

MAX_WAIT_MS = 1_000
"""Longest wait for entries when no timer runs out before."""

OFFSET_COMMIT_INTERVAL = 1.0
"""Seconds between commits of offsets alone, each of which takes a tenth of one."""

log = structlog.get_logger(__name__)


class PartitionWorker:
    """Owns one journal partition while it runs.

    Args:
        owned: The partition; the worker publishes its progress there.
        member: This process's member of the tracker's group.
        recovery: Recovers the partition.
        publisher: Publishes batches.
        timer_rules: The rules of its timers.
        policy: The settings that the fold depends on.
        metrics: Counts restarts and transactions.
    """

    def __init__(
        self,
        owned: OwnedPartition,
        member: AIOKafkaConsumer,
        *,
        recovery: Recovery,
        publisher: Publisher,
        timer_rules: TimerRules,
        policy: Policy,
        metrics: TrackerMetrics,
    ) -> None:
        self._owned, self._member, self._recovery, self._publisher = owned, member, recovery, publisher
        self._timers, self._clock = Timers(owned.store, timer_rules), timer_rules.clock
        self._policy, self._metrics = policy, metrics
        self._quarantine = Quarantine()
        self._progress = Progress("catching up with the journal", owned.number)
        self._interruptible = True
        self._stopping = False
        self._must_confirm = False
        """Whether the partition may be another process's meanwhile; a new producer would fence its owner."""
        self.last_progress_at = time.monotonic()
        self._pace = Pace()
        self._task = asyncio.create_task(self._run())

    @property
    def number(self) -> int:
        """The partition."""
        return self._owned.number

    @property
    def ended(self) -> bool:
        """Whether it does nothing any more."""
        return self._task.done()

    async def stop(self, timeout: float) -> None:
        """Stop. A transaction under way gets `timeout` seconds; after that the next owner settles it."""
        self._stopping = True
        if not self._interruptible:
            await asyncio.wait([self._task], timeout=timeout)
        self._task.cancel()  # it may wait for entries
        await asyncio.wait([self._task], timeout=timeout)

    def restart(self, cause: str) -> None:
        """Cancel the task and start a new one."""
        self._metrics.workers_restarted.labels(cause).inc()
        self._task.cancel()
        self._must_confirm = True
        self._owned.reset()
        self.last_progress_at, self._interruptible = time.monotonic(), True
        self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        pause = MIN_PAUSE
        while not self._stopping:
            self._note_progress()
            started = time.monotonic()
            try:
                if self._must_confirm:
                    await confirm_membership(self._member, self._note_progress)
                    self._must_confirm = False
                async with self._recovery.recover(self._owned, self._member, self._note_progress) as recovered:
                    self._timers.reset()
                    self._progress.begin()
                    await self._work(recovered)
            except StoreCorruptedError:
                return  # of all partitions: the tracker rebuilds the store
            except Exception as error:  # noqa: BLE001 - one partition's fault must not stop the others
                await self._pause(error, pause)
            pause = MIN_PAUSE if time.monotonic() - started > MAX_PAUSE else min(pause * 2, MAX_PAUSE)

    async def _pause(self, error: Exception, backoff: float) -> None:
        """Log and count a restart, and wait before it."""
        self._owned.reset()
        self._interruptible = True
        self._must_confirm = True
        cause, fixed = next(restart for kind, restart in RESTARTS.items() if isinstance(error, kind))
        pause = backoff if fixed is None else fixed
        self._metrics.workers_restarted.labels(cause).inc()
        # A warning the first time: an outage is one, however often every partition tries again.
        level = "debug" if cause == "kafka" and pause > MIN_PAUSE else "error" if cause == "internal" else "warning"
        getattr(log, level)(
            "restarting partition worker",
            partition=self._owned.number,
            cause=cause,
            error=explain_restart(error, cause),
            pause_seconds=pause,
            exc_info=error if cause == "internal" else None,
        )
        await asyncio.sleep(pause)

    def _note_progress(self) -> None:
        self.last_progress_at = time.monotonic()

    async def _work(self, recovered: Recovered) -> None:
        producer, reader, committed = recovered
        offset, committed_at = committed.offset, 0.0
        while not self._stopping:
            self._note_progress()
            partitions = len(self._member.assignment())
            await asyncio.sleep(self._pace.compute_pause(partitions - 1, time.monotonic()))
            size = self._quarantine.choose_size(partitions)
            records = await reader.take(size.entries, self._compute_wait_ms()) if size.entries else []
            self._interruptible = False
            batch = Batch(self._owned.store, self._policy, self._quarantine.set_aside, committed.horizon)
            outgoing = Outgoing(producer)
            async for some in yield_slices(records):
                batch.fold(some)
                self._publisher.encode_events(batch, outgoing)
            offset = batch.next_offset or offset
            self._observe_lag(records, offset, reader.count_left(offset))
            if size.timers:
                await self._timers.run(batch, offset, size.timers, lambda: self._fetch_journal_end(reader.tp))
            self._publisher.encode_events(batch, outgoing)
            is_due = offset != committed.offset and time.monotonic() - committed_at >= OFFSET_COMMIT_INTERVAL
            if batch.empty and not is_due:
                self._publisher.skip(batch, outgoing)
            else:
                before = committed.offset
                self._pace.begin(time.monotonic())
                committed = self._advance(committed, offset, batch)
                with self._quarantining(batch):
                    await self._publisher.publish(self._owned, producer, batch, outgoing, committed)
                self._metrics.transaction_entries.observe(offset - before)
                committed_at = time.monotonic()
                self._pace.end(committed_at)
            self._interruptible = True

    def _advance(self, committed: JournalOffset, offset: int, batch: Batch) -> JournalOffset:
        position = self._owned.store.position
        state_end = position.offset if position else 0
        return committed._replace(offset=offset, horizon=batch.compute_horizon(now_ms()), state_end=state_end)

    @contextmanager
    def _quarantining(self, batch: Batch) -> Iterator[None]:
        """Note whether Kafka takes this batch."""
        try:
            yield
        except tuple(REFUSALS) as error:
            suspects = len(batch.items)
            culprit = self._quarantine.note_refused(batch.items, error)
            if culprit is None and suspects <= 1:
                raise  # nothing more can be set aside
            if culprit is not None:
                log.warning(
                    "Kafka refuses an entry or timer for good; it goes to the dead letters",
                    partition=self._owned.number,
                    entry_or_timer=culprit,
                    error=format_error(error),
                )
            raise RefusedError(f"{format_error(error)}; {suspects} entries and timers are suspects") from error
        else:
            self._quarantine.note_committed(batch.items)

    async def _fetch_journal_end(self, tp: TopicPartition) -> int:
        # Asked for by the member, which fetches nothing: on the reader's connection it would wait behind a fetch.
        end: int = (await self._member.end_offsets([tp]))[tp]
        return end

    def _compute_wait_ms(self) -> int:
        """Compute how long to wait for entries: until the next timer expires, within limits."""
        due = self._owned.store.next_due() if self._owned.caught_up else None
        return MAX_WAIT_MS if due is None else min(MAX_WAIT_MS, max(10, due - self._clock()))

    def _observe_lag(self, records: Sequence[Any], offset: int, lag: int) -> None:
        self._progress.advance(len(records), lag) if lag else self._progress.begin()
        behind = time.time() - records[-1].timestamp / 1000 if records and lag else 0.0
        self._owned.set_lag(offset, lag, max(0.0, behind))
