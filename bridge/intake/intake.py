"""Writes `sms.sent` to the journal: consume, parse, append, commit. At least once; the tracker drops duplicates."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple, get_args

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import (
    CommitFailedError,
    IllegalStateError,
    KafkaError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
)

from bridge.concurrency import yield_slices
from bridge.dead_letters import DeadLetters
from bridge.intake.fetch_parser import FetchParser, ParsedFetch
from bridge.intake.optional_members import OptionalMember
from bridge.intake.sent_parser import SentParser
from bridge.intake.start_offsets import CommittedOffsets, choose_offsets, name_partition
from bridge.journal.writer import JournalWriter
from bridge.kafka.clients import KafkaClients
from bridge.kafka.consumers import close_consumer, fetch, get_positions
from bridge.kafka.offsets import look_up_each
from bridge.kafka.records import Record
from bridge.kafka.retry import retry
from bridge.observability.metrics import IntakeMetrics
from bridge.observability.tracing import Tracing

MAX_RECORDS = 5_000
"""Maximum number of records of a fetch."""

FETCH_TIMEOUT_MS = 500
"""How long a fetch waits for records."""

MAX_APPEND_BYTES = 64 * 1024 * 1024
"""Size at which the entries of records with several attempts are appended before the rest of a fetch is parsed."""

RETRY_PAUSE_SECONDS = 1.0
"""Pause before an operation that failed, in Kafka or in the schema registry, is tried again."""

log = structlog.get_logger(__name__)

ChooseStart = Callable[[], str | int]
"""Returns where to start without a committed offset: `earliest`, `latest`, or milliseconds since the epoch."""


class SentSource(NamedTuple):
    """Where sent events are read from, and by which consumer group."""

    group: str
    topics: tuple[str, ...]
    choose_start: ChooseStart


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
        self._kafka, self._source, self._avro = kafka, source, parser.avro
        self._fetch_parser = FetchParser(parser, journal, dead_letters)
        self._journal, self._dead_letters, self._metrics, self._tracing = journal, dead_letters, metrics, tracing
        for member in get_args(OptionalMember):
            metrics.sent_members_ignored.labels(member)  # from 0 on, so that a first increase is seen
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
            await self._commit(consumer)
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
        # Looked at before the answers come: what is read meanwhile may be beyond them.
        read = dict(self._offsets.committed)
        ends = await look_up_each(self._consumer.end_offsets, tps)
        self._cut_off = [tp for tp, end in ends.items() if read.get(tp, 0) > end]

    async def _accept(self, batches: Mapping[TopicPartition, list[Any]]) -> None:
        """Parse a fetch and append it to the journal, until Kafka accepts it."""
        fetched, started_ns = [record for batch in batches.values() for record in batch], time.time_ns()
        if self._avro:
            values = list(self._fetch_parser.list_encoded(fetched))
            prepare = partial(self._avro.prepare, values)
            await retry(prepare, event="schemas of sent events can't be fetched", pause_seconds=RETRY_PAUSE_SECONDS)
        parsed = ParsedFetch()
        async for records in yield_slices(fetched):
            for record in records:
                self._fetch_parser.parse(record, parsed)
                if parsed.multiplied_bytes > MAX_APPEND_BYTES:
                    await self._append(parsed, started_ns)
                    parsed = ParsedFetch()
        await self._append(parsed, started_ns)

    async def _append(self, parsed: ParsedFetch, started_ns: int) -> None:
        # One call for each partition: a part that failed, appended after the rest, would not let the first sent event
        # win. What has failed is appended again, and nothing else.
        left: dict[tuple[str, int], list[Record]] = {}
        for record in parsed.records:
            left.setdefault((record.topic, record.partition), []).append(record)

        async def append() -> None:
            tps = list(left)
            results = await asyncio.gather(*(self._journal.append(left[tp]) for tp in tps), return_exceptions=True)
            errors = {tp: result for tp, result in zip(tps, results, strict=True) if result}
            for tp in left.keys() - errors.keys():
                del left[tp]
            if errors:
                raise next(iter(errors.values()))

        await retry(append, event="journal didn't accept sent events", pause_seconds=RETRY_PAUSE_SECONDS)
        self._tracing.trace_accepted(parsed.entries, started_ns)
        self._count(parsed)

    def _count(self, parsed: ParsedFetch) -> None:
        accepted = Counter(entry.provider for entry in parsed.entries)
        self._accepted.update(accepted)
        for provider, number in accepted.items():
            self._metrics.sent_accepted.labels(provider).inc(number)
        for reason, number in parsed.skipped.items():
            self._metrics.sent_skipped.labels(reason.value).inc(number)
        for member, number in parsed.ignored.items():
            self._metrics.sent_members_ignored.labels(member).inc(number)
        for dead_letter_reason, number in parsed.dead_letters.items():
            self._dead_letters.count(dead_letter_reason, number)

    async def _commit(self, consumer: AIOKafkaConsumer) -> None:
        """Commit what has moved, also after an empty fetch: markers of senders' transactions take offsets, too."""
        committed, positions = self._offsets.committed, get_positions(consumer)
        moved = {tp: position for tp, position in positions.items() if committed.get(tp) != position}
        try:
            if moved:
                await self._offsets.commit(consumer, moved)
        except (CommitFailedError, IllegalStateError) as error:
            # Another member has the partitions and reads these records again; the tracker drops duplicates.
            log.info("offsets not committed", error=type(error).__name__)

    async def _seek_to_start(self, consumer: AIOKafkaConsumer, positions: Any) -> None:
        """Choose where to start in partitions without an offset, or with one whose record retention has deleted."""
        if isinstance(positions, Mapping):
            log.error("sent events deleted before they were read", positions=_name_partitions(positions))
            offsets = await look_up_each(consumer.beginning_offsets, positions)
        else:
            first, added = await self._offsets.find_missing(consumer)
            offsets = await choose_offsets(consumer, first, self._source.choose_start()) if first else {}
            offsets |= await look_up_each(consumer.beginning_offsets, added)
            log.info("starting intake without committed offsets", offsets=_name_partitions(offsets))
        for tp, offset in offsets.items():
            consumer.seek(tp, offset)
        if offsets:
            await self._offsets.commit(consumer, offsets)


def _name_partitions(offsets: Mapping[Any, int]) -> dict[str, int]:
    return {name_partition(tp): offset for tp, offset in offsets.items()}
