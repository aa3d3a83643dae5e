"""Writes `sms.sent` to the journal: consume, parse, append, commit. At least once; the tracker drops duplicates."""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import (
    CommitFailedError,
    IllegalStateError,
    KafkaError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
)

from bridge.clock import now_ms
from bridge.concurrency import yield_slices
from bridge.core.entries import Sent
from bridge.core.errors import DeadLetterReason, PoisonMessageError, convert_to_poison
from bridge.dead_letters import DeadLetter, DeadLetters, SourcePosition
from bridge.intake.sent_parser import SentParser, SkipReason
from bridge.intake.start_offsets import CommittedOffsets, choose_offsets, name_partition
from bridge.journal.writer import JournalWriter
from bridge.kafka.clients import KafkaClients
from bridge.kafka.consumers import close_consumer, fetch
from bridge.kafka.records import Record
from bridge.kafka.retry import retry
from bridge.observability.metrics import IntakeMetrics
from bridge.observability.tracing import Tracing, find_traceparent, parse_trace_id

MAX_RECORDS = 5_000
"""Maximum number of records of a fetch."""

FETCH_TIMEOUT_MS = 500
"""How long a fetch waits for records."""

RETRY_PAUSE_SECONDS = 1.0
"""Pause before an operation that failed in Kafka is tried again."""

log = structlog.get_logger(__name__)

ChooseStart = Callable[[], str | int]
"""Returns where to start without a committed offset: `earliest`, `latest`, or milliseconds since the epoch."""


class SentSource(NamedTuple):
    """Where sent events are read from, and by which consumer group."""

    group: str
    topics: tuple[str, ...]
    choose_start: ChooseStart


class _ParsedFetch:
    """The results of a fetch."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        """Entries and dead letters, in the order of the records that they were made from."""
        self.entries: list[Sent] = []
        self.skipped: Counter[SkipReason] = Counter()
        self.dead_letters: Counter[DeadLetterReason] = Counter()


class Intake(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    """A member of the intake's consumer group.

    Args:
        kafka: Makes the consumer.
        admin: Looks up committed offsets.
        source: Where sent events are read from.
        parser: Parses them.
        journal: Takes entries and dead letters.
        dead_letters: Makes dead letters.
        metrics: Counts sent events.
        tracing: Traces accepted entries.
    """

    def __init__(
        self,
        kafka: KafkaClients,
        admin: Any,
        source: SentSource,
        parser: SentParser,
        *,
        journal: JournalWriter,
        dead_letters: DeadLetters,
        metrics: IntakeMetrics,
        tracing: Tracing,
    ) -> None:
        self._kafka, self._source, self._parser = kafka, source, parser
        self._journal, self._dead_letters, self._metrics, self._tracing = journal, dead_letters, metrics, tracing
        self._offsets = CommittedOffsets(admin, source.group)
        self._accepted: Counter[str] = Counter()
        self._joined = False
        self._consumer: AIOKafkaConsumer | None = None
        self._cut_off: list[TopicPartition] = []

    @property
    def joined(self) -> bool:
        """Whether it has joined its group."""
        return self._joined

    def snapshot(self) -> Mapping[str, int]:
        """How many sent events this process has accepted, by provider."""
        return dict(self._accepted)

    async def run(self) -> None:
        """Consume until cancelled. Errors of Kafka are retried."""
        await retry(self._join, event="restarting intake", pause_seconds=RETRY_PAUSE_SECONDS)

    async def _join(self) -> None:
        consumer = self._consumer = await self._kafka.member(self._source.group)
        self._cut_off = []
        try:
            consumer.subscribe(self._source.topics, listener=self)
            await self._consume(consumer)
        finally:
            self._joined, self._consumer = False, None
            await close_consumer(consumer)

    def on_partitions_revoked(self, _revoked: Any) -> None:
        """A rebalance starts. There is no state of partitions to hand over."""
        self._joined = False

    def on_partitions_assigned(self, _assigned: Any) -> None:
        """The rebalance is over; a member may have no partitions."""
        self._joined = True

    async def _consume(self, consumer: AIOKafkaConsumer) -> None:
        while not self._cut_off:
            try:
                batches = await fetch(consumer, timeout_ms=FETCH_TIMEOUT_MS, max_records=MAX_RECORDS)
            except (NoOffsetForPartitionError, OffsetOutOfRangeError) as error:
                await self._seek_to_start(consumer, error.args[0])
                continue
            if batches:
                await self._accept(batches)
                await self._commit(consumer, batches)
        names = ", ".join(map(name_partition, self._cut_off))
        raise KafkaError(f"{names} end before what was read: the topic was created again")

    async def ask_kafka(self) -> None:
        """Ask Kafka where the topics end. A topic that was created again is then read from its beginning.

        Raises:
            KafkaError: There is no answer, or no connection.
        """
        if self._consumer is None:
            raise KafkaError("the intake isn't connected")
        tps = self._consumer.assignment() or {TopicPartition(self._source.topics[0], 0)}
        self._cut_off = self._offsets.find_cut_off(await self._consumer.end_offsets(list(tps)))

    async def _accept(self, batches: Mapping[TopicPartition, list[Any]]) -> None:
        """Parse a fetch and append it to the journal, until Kafka accepts it."""
        parsed, started_ns = _ParsedFetch(), time.time_ns()
        async for records in yield_slices([record for batch in batches.values() for record in batch]):
            for record in records:
                self._parse(record, parsed)

        async def append() -> None:
            # In one call: if only a part failed and were appended after the rest, the first sent event would not win.
            await self._journal.append(parsed.records)

        await retry(append, event="journal didn't accept sent events", pause_seconds=RETRY_PAUSE_SECONDS)
        self._tracing.trace_accepted(parsed.entries, started_ns)
        self._count(parsed)

    def _parse(self, record: Any, parsed: _ParsedFetch) -> None:
        origin = (record.topic, record.partition, record.offset)
        try:
            entry = self._parser.parse(record.value, now_ms(), record.headers, origin)
            if isinstance(entry, SkipReason):
                parsed.skipped[entry] += 1
                return
            journaled = self._journal.to_record(entry)
        except Exception as error:  # noqa: BLE001 - pure code: whatever it raises, this record is the cause
            poison = convert_to_poison(error)
            parsed.dead_letters[poison.reason] += 1
            parsed.records.append(self._make_dead_letter(record, poison))
            return
        parsed.entries.append(entry)
        parsed.records.append(journaled)

    def _make_dead_letter(self, record: Any, poison: PoisonMessageError) -> Record:
        log.warning(
            "sent event rejected",
            reason=poison.reason.value,
            error=poison.error,
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            message_id=self._parser.find_message_id(record.value),
            trace_id=parse_trace_id(find_traceparent(record.headers)),
        )
        letter = DeadLetter(
            reason=poison.reason.value,
            error=poison.error,
            key=record.key,
            value=record.value,
            received_at=now_ms(),
            source=SourcePosition(record.topic, record.partition, record.offset),
        )
        return self._dead_letters.to_record(letter)

    def _count(self, parsed: _ParsedFetch) -> None:
        accepted = Counter(entry.provider for entry in parsed.entries)
        self._accepted.update(accepted)
        for provider, number in accepted.items():
            self._metrics.sent_accepted.labels(provider).inc(number)
        for reason, number in parsed.skipped.items():
            self._metrics.sent_skipped.labels(reason.value).inc(number)
        for dead_letter_reason, number in parsed.dead_letters.items():
            self._dead_letters.count(dead_letter_reason, number)

    async def _commit(self, consumer: AIOKafkaConsumer, batches: Mapping[TopicPartition, list[Any]]) -> None:
        offsets = {tp: batch[-1].offset + 1 for tp, batch in batches.items()}
        try:
            await self._offsets.commit(consumer, offsets)
        except (CommitFailedError, IllegalStateError) as error:
            # Another member has the partitions and reads these records again; the tracker drops duplicates.
            log.info("offsets not committed", error=type(error).__name__)

    async def _seek_to_start(self, consumer: AIOKafkaConsumer, positions: Any) -> None:
        """Choose where to start in partitions without an offset, or with one whose record retention has deleted."""
        if isinstance(positions, Mapping):
            log.error("sent events deleted before they were read", positions=_name_partitions(positions))
            offsets = await consumer.beginning_offsets(list(positions))
        else:
            first, added = await self._offsets.find_missing(consumer)
            offsets = await choose_offsets(consumer, first, self._source.choose_start()) if first else {}
            offsets |= await consumer.beginning_offsets(added) if added else {}
            log.info("starting intake without committed offsets", offsets=_name_partitions(offsets))
        for tp, offset in offsets.items():
            consumer.seek(tp, offset)
        if offsets:
            await self._offsets.commit(consumer, offsets)


def _name_partitions(offsets: Mapping[Any, int]) -> dict[str, int]:
    return {name_partition(tp): offset for tp, offset in offsets.items()}
