"""One journal partition and its owner: recover, then fold, commit, remember; again and again.

There is one way back from anything that went wrong, and it is the way in: a new producer, whose start settles what its
predecessor left; the cache brought up to the state topic's end; the committed offset; on from there. Never a guess.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import InvalidProducerEpoch, KafkaError, OffsetOutOfRangeError, ProducerFenced

from bridge.concurrency import yield_slices
from bridge.core.errors import ConfigurationError, StoreCorruptedError
from bridge.core.schedule import Schedule
from bridge.dead_letters import DeadLetters
from bridge.journal.offsets import JournalOffset, fetch_journal_offset
from bridge.journal.reader import JournalReader
from bridge.kafka.clients import KafkaClients, format_error
from bridge.kafka.producers import abort_producer
from bridge.kafka.records import Record
from bridge.kafka.topics import TopicLimits
from bridge.observability.metrics import Metrics
from bridge.observability.tracing import Tracing
from bridge.settings.model import TopicSettings
from bridge.state.keys import StoredAttempt
from bridge.state.partition import PartitionStore
from bridge.state.progress import Progress
from bridge.state.restore import Restore
from bridge.tracker.batch import Batch
from bridge.tracker.batch_metrics import record_batch
from bridge.tracker.dead_letter_records import make_dead_letters
from bridge.tracker.delivery_records import DeliveryRecords
from bridge.tracker.timers import Timers
from bridge.tracker.transaction import commit_transaction, make_state_records

PATIENCE = 1_000
"""Milliseconds to wait for entries when no timer runs out before."""

COMMIT_EVERY = 1.0
"""Seconds between commits of offsets alone, which take a tenth of one each."""

FENCED_PAUSE = 6.0
"""Seconds, two heartbeats: whoever is fenced and still owner by then begins again; else two would take turns."""

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 10.0
"""Seconds between attempts to begin again."""

log = structlog.get_logger(__name__)


class Duties(NamedTuple):
    """What every partition's owner needs."""

    kafka: KafkaClients
    admin: Any
    group: str
    topics: TopicSettings
    partitions: TopicLimits
    timetable: Schedule
    park_max: int
    outlet: DeliveryRecords
    letters: DeadLetters
    metrics: Metrics
    tracing: Tracing
    clock: Callable[[], int]
    """Milliseconds since the epoch, without jumps."""
    owed: Callable[[str, StoredAttempt, int], bool]
    """Whether a poll about an attempt is still to come before its end."""


class PartitionWorker:
    """Owns one journal partition while it runs."""

    def __init__(self, duties: Duties, member: AIOKafkaConsumer, number: int, attempts: PartitionStore) -> None:
        self._duties, self._member, self.attempts = duties, member, attempts
        self._journal = TopicPartition(duties.topics.journal, number)
        self._state = TopicPartition(duties.topics.state, number)
        self._transactional_id = f"{duties.group}.{duties.topics.journal}.{number}"
        self._place = JournalOffset(0, 0, "")
        self._committed_at = 0.0
        self._progress = Progress("catching up with the journal", number)
        self._timers = Timers(attempts, duties.clock, duties.owed, duties.park_max, self._journal_end)
        self._interruptible = True
        self._stopping = False
        self.number = number
        self.caught_up = False
        self.restored = False
        self.beat = time.monotonic()
        for gauge in (duties.metrics.journal_lag_entries, duties.metrics.journal_lag_seconds):
            gauge.labels(str(number)).set(0)
        self._task = asyncio.create_task(self._run())

    async def stop(self, within: float) -> None:
        """End; a transaction under way may take this many seconds to finish, then it is left to its successor."""
        self._stopping = True
        if not self._interruptible:
            await asyncio.wait([self._task], timeout=within)
        self._task.cancel()  # it may wait for entries
        await asyncio.wait([self._task], timeout=within)

    def restart(self) -> None:
        """Give up on whatever hangs, and begin again."""
        self._task.cancel()
        self.beat, self.caught_up, self.restored, self._interruptible = time.monotonic(), False, False, True
        self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        pause = FIRST_PAUSE
        while not self._stopping:
            self.beat = time.monotonic()
            began = self.beat
            try:
                await self._own()
            except (ProducerFenced, InvalidProducerEpoch):
                await self._again("fenced", FENCED_PAUSE)
            except OffsetOutOfRangeError:
                lost = (
                    f"the journal no longer holds the offset of {self._duties.group}; see `sms-bridge topics --adopt`"
                )
                await self._again("misconfigured", LONGEST_PAUSE, lost)
            except (KafkaError, OSError) as error:
                await self._again("kafka", pause, format_error(error))
            except StoreCorruptedError:
                return  # of all partitions: whoever owns the store begins it anew
            except ConfigurationError as error:
                await self._again("misconfigured", LONGEST_PAUSE, str(error))
            except Exception:
                log.exception("a partition's worker failed", partition=self.number)
                await self._again("internal", pause)
            pause = FIRST_PAUSE if time.monotonic() - began > LONGEST_PAUSE else min(pause * 2, LONGEST_PAUSE)

    async def _again(self, cause: str, pause: float, error: str = "") -> None:
        self.caught_up = self.restored = False
        self._interruptible = True
        self._duties.metrics.workers_restarted.labels(cause).inc()
        # A warning the first time: an outage is one, however often every partition tries again.
        tell = log.warning if pause == FIRST_PAUSE or cause != "kafka" else log.debug
        tell("a partition's worker begins again", partition=self.number, cause=cause, error=error, pause=pause)
        await asyncio.sleep(pause)

    async def _own(self) -> None:
        # Step 1. A new producer: its start fences any predecessor and settles what that left open.
        producer = await self._duties.kafka.producer(self._transactional_id)
        try:
            async with JournalReader.open(self._duties.kafka, self._journal) as inlet:
                self._breathe()
                try:
                    await self._recover(inlet)
                    await self._work(producer, inlet)
                finally:
                    self.caught_up = self.restored = False  # before what is let go of takes its time
        finally:
            await abort_producer(producer)

    async def _recover(self, inlet: JournalReader) -> None:
        duties = self._duties
        place = await self._committed()
        # Step 2. The cache stands where the state topic ends.
        end = (await self._member.end_offsets([self._state]))[self._state]
        await Restore(
            kafka=duties.kafka,
            tp=self._state,
            attempts=self.attempts,
            incarnation=place.journal_id,
            tombstones_live=duties.partitions.tombstones_live,
            metrics=duties.metrics,
            progress=self._breathe,
        ).run(end)
        # Step 3. The journal goes on where the last transaction left it.
        self._place = await self._committed()
        await inlet.begin(self._place.offset)
        self._timers.begin_again()
        self._progress.begin()
        self.restored = True

    def _breathe(self) -> None:
        self.beat = time.monotonic()

    async def _committed(self) -> JournalOffset:
        place = await fetch_journal_offset(self._duties.admin, self._duties.group, self._journal)
        if place is None:
            raise ConfigurationError(
                f"the group {self._duties.group} has lost its offsets; see `sms-bridge topics --adopt`"
            )
        return place._replace(partitions=self._duties.partitions.journal)

    async def _work(self, producer: AIOKafkaProducer, inlet: JournalReader) -> None:
        offset = self._place.offset
        while not self._stopping:
            self._breathe()
            records = await inlet.take(self._patience())
            self._interruptible = False
            batch = Batch(self.attempts, self._duties.timetable.policy)
            events: list[Record] = []
            async for some in yield_slices(records):
                batch.fold(some)
                self._encode(batch, events)
            offset = batch.next_offset or offset
            self._observe_lag(records, inlet.left(offset))
            await self._timers.run(batch, offset)
            self._encode(batch, events)
            await self._conclude(producer, batch, events, offset)
            self._interruptible = True

    def _encode(self, batch: Batch, events: list[Record]) -> None:
        """Write out what isn't yet: slice by slice, while it is still in the processor's cache."""
        events += self._duties.outlet.records(batch.publications[len(events) :])

    def _patience(self) -> int:
        """Milliseconds until a timer runs out, within bounds."""
        due = self.attempts.next_due() if self.caught_up else None
        return PATIENCE if due is None else min(PATIENCE, max(10, due - self._duties.clock()))

    async def _journal_end(self) -> int:
        end: int = (await self._member.end_offsets([self._journal]))[self._journal]
        return end

    def _observe_lag(self, records: list[Any], lag: int) -> None:
        self.caught_up = lag == 0
        self._progress.made(len(records), lag) if lag else self._progress.begin()
        behind = time.time() - records[-1].timestamp / 1000 if records and lag else 0
        self._duties.metrics.journal_lag_entries.labels(str(self.number)).set(lag)
        self._duties.metrics.journal_lag_seconds.labels(str(self.number)).set(max(0, behind))

    async def _conclude(self, producer: AIOKafkaProducer, batch: Batch, events: list[Record], offset: int) -> None:
        if batch.empty and (offset == self._place.offset or time.monotonic() - self._committed_at < COMMIT_EVERY):
            record_batch(
                batch, self._duties.metrics
            )  # what changes nothing is done; its offset goes with a later commit
            return
        place = self._place._replace(offset=offset)
        changes = batch.changes
        topics = self._duties.topics
        records = [
            *events,
            *self._duties.outlet.latest(batch.publications, events),
            *make_state_records(changes, topics.state, self.number),
            *await make_dead_letters(self._duties.kafka, self._journal, batch.complaints, self._duties.letters),
        ]
        with self._duties.metrics.transaction_duration.time():
            try:
                end = await commit_transaction(
                    producer, records, state_topic=topics.state, tp=self._journal, place=place, group=self._duties.group
                )
            except BaseException:
                self._duties.metrics.transactions_completed.labels("failed").inc()
                raise
        self._duties.metrics.transactions_completed.labels("committed").inc()
        self._duties.metrics.transaction_entries.observe(offset - self._place.offset)
        self._place, self._committed_at = place, time.monotonic()
        if end is not None:
            self.attempts.apply(changes, place.journal_id, end)
        record_batch(batch, self._duties.metrics)
        self._duties.tracing.published(batch.publications)
