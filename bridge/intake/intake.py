"""`sms.sent` into the journal: consume, parse, append, only then commit. At least once; the tracker drops repeats."""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, NoOffsetForPartitionError, OffsetOutOfRangeError

from bridge.clock import now_ms
from bridge.concurrency import shield_to_completion, yield_slices
from bridge.core.entries import Sent
from bridge.core.errors import DeadLetterReason, PoisonMessageError
from bridge.dead_letters import DeadLetter, DeadLetters, SourcePosition
from bridge.intake.sent_parser import SentParser, SkipReason
from bridge.journal.writer import MAX_ENTRY_BYTES, JournalWriter
from bridge.kafka.clients import KafkaClients
from bridge.kafka.consumers import close_consumer, fetch
from bridge.kafka.offsets import fetch_committed_offsets
from bridge.kafka.records import Record
from bridge.kafka.retry import retry
from bridge.observability.metrics import IntakeMetrics
from bridge.observability.tracing import Tracing, find_traceparent, parse_trace_id

MAX_RECORDS = 5_000
"""Records that are fetched at a time."""

FETCH_TIMEOUT_MS = 500
"""To wait for records."""

RETRY_PAUSE = 1.0
"""Seconds before trying again what Kafka didn't accept."""

log = structlog.get_logger(__name__)

ChooseStart = Callable[[], str | int]
"""Where to begin without a committed offset: `earliest`, `latest`, or a time in milliseconds since the epoch."""


class SentSource(NamedTuple):
    """Where sent events are read from."""

    group: str
    topics: tuple[str, ...]
    choose_start: ChooseStart


class _Parsed:
    """What became of the records of one fetch."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        """Entries and dead letters, in the order of the records that they come from."""
        self.entries: list[Sent] = []
        self.skipped: Counter[SkipReason] = Counter()
        self.dead_letters: Counter[DeadLetterReason] = Counter()


class Intake(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    """One member of the intake's consumer group.

    Args:
        kafka: Makes the member.
        admin: Looks up committed offsets.
        source: Where sent events are read from.
        parser: Parses them.
        journal: Where entries go, and dead letters in their place.
        dead_letters: Makes dead letters.
        metrics: Is told of sent events.
        tracing: Is told of entries.
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
        self._kafka, self._admin, self._source, self._parser = kafka, admin, source, parser
        self._journal, self._dead_letters, self._metrics, self._tracing = journal, dead_letters, metrics, tracing
        self._accepted: Counter[str] = Counter()
        self._joined = False

    @property
    def joined(self) -> bool:
        """Whether it has joined its group."""
        return self._joined

    def snapshot(self) -> Mapping[str, int]:
        """How many sent events this process has accepted, by provider."""
        return dict(self._accepted)

    async def run(self) -> None:
        """Consume until cancelled; what Kafka can't do now is tried again."""
        await retry(self._be_member, event="restarting intake", pause_seconds=RETRY_PAUSE)

    async def _be_member(self) -> None:
        consumer = await self._kafka.member(self._source.group)
        try:
            consumer.subscribe(self._source.topics, listener=self)
            await self._consume(consumer)
        finally:
            self._joined = False
            await close_consumer(consumer)

    def on_partitions_revoked(self, _revoked: Any) -> None:
        """A rebalance starts. Nothing is kept per partition, so there is nothing to hand over."""
        self._joined = False

    def on_partitions_assigned(self, _assigned: Any) -> None:
        """The rebalance is over; a member without partitions is fine, too."""
        self._joined = True

    async def _consume(self, consumer: AIOKafkaConsumer) -> None:
        while True:
            try:
                batches = await fetch(consumer, timeout_ms=FETCH_TIMEOUT_MS, max_records=MAX_RECORDS)
            except (NoOffsetForPartitionError, OffsetOutOfRangeError) as error:
                await self._seek_to_start(consumer, error.args[0])
                continue
            if batches:
                await self._accept(batches)
                await self._commit(consumer, batches)

    async def _accept(self, batches: Mapping[TopicPartition, list[Any]]) -> None:
        """Parse a fetch and append it, again and again until Kafka has it."""
        parsed, started_ns = _Parsed(), time.time_ns()
        async for some in yield_slices([record for batch in batches.values() for record in batch]):
            for record in some:
                self._parse(record, parsed)

        async def append() -> None:
            # All at once: a part could fail and come again after the rest, and then the first sent would not win.
            await self._journal.append(parsed.records)

        await retry(append, event="journal didn't accept sent events; retrying", pause_seconds=RETRY_PAUSE)
        self._tracing.trace_accepted(parsed.entries, started_ns)
        self._count(parsed)

    def _parse(self, record: Any, parsed: _Parsed) -> None:
        origin = (record.topic, record.partition, record.offset)
        try:
            entry = self._parser.parse(record.value, now_ms(), record.headers, origin)
            if isinstance(entry, SkipReason):
                parsed.skipped[entry] += 1
                return
            out = self._journal.to_record(entry)
            _check_size(out)
        except PoisonMessageError as poison:
            parsed.dead_letters[poison.reason] += 1
            parsed.records.append(self._reject(record, poison))
            return
        parsed.entries.append(entry)
        parsed.records.append(out)

    def _reject(self, record: Any, poison: PoisonMessageError) -> Record:
        log.warning(
            "sent event goes to the dead letters",
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

    def _count(self, parsed: _Parsed) -> None:
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
            await shield_to_completion(consumer.commit(offsets))
        except (CommitFailedError, IllegalStateError) as error:
            # The partitions went to another member, which reads these records again; the tracker drops repeats.
            log.info("offsets not committed; another member has the partitions", error=type(error).__name__)

    async def _seek_to_start(self, consumer: AIOKafkaConsumer, positions: Any) -> None:
        """Choose where to begin in partitions that have no offset, or one that retention has overtaken."""
        if isinstance(positions, Mapping):
            log.error("sent events were deleted before they were read", positions=_by_name(positions))
            offsets = await consumer.beginning_offsets(list(positions))
        else:
            offsets = await self._find_starts(consumer)
            log.info("intake starts without committed offsets", offsets=_by_name(offsets))
        for tp, offset in offsets.items():
            consumer.seek(tp, offset)
        if offsets:
            await shield_to_completion(consumer.commit(offsets))

    async def _find_starts(self, consumer: AIOKafkaConsumer) -> dict[TopicPartition, int]:
        assigned = list(consumer.assignment())
        known = await fetch_committed_offsets(self._admin, self._source.group, assigned)
        tps = [tp for tp in assigned if tp not in known]
        if not tps:
            return {}
        start = self._source.choose_start()
        if start == "earliest":
            return dict(await consumer.beginning_offsets(tps))
        ends: dict[TopicPartition, int] = await consumer.end_offsets(tps)
        if isinstance(start, str):
            return ends
        found = await consumer.offsets_for_times(dict.fromkeys(tps, max(0, start)))
        return {tp: found[tp].offset if found.get(tp) else ends[tp] for tp in tps}


def _check_size(record: Record) -> None:
    if record.size > MAX_ENTRY_BYTES:
        error = f"{record.size} bytes; the journal takes {MAX_ENTRY_BYTES}"
        raise PoisonMessageError(DeadLetterReason.TOO_LARGE, error)


def _by_name(offsets: Mapping[Any, int]) -> dict[str, int]:
    return {f"{topic}/{partition}": offset for (topic, partition), offset in offsets.items()}
