"""`sms.sent` into the journal: consume, read, append, only then commit. At least once; the tracker drops repeats."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import (
    CommitFailedError,
    IllegalStateError,
    KafkaError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
)

from bridge.concurrency import shield_to_completion, yield_slices
from bridge.core.entries import Sent
from bridge.core.errors import DeadLetterReason, KafkaUnavailableError, PoisonMessageError
from bridge.dead_letters import DeadLetters
from bridge.intake.sent_parser import SentParser, SkipReason
from bridge.journal.writer import MAX_ENTRY_BYTES, JournalWriter
from bridge.kafka.clients import KafkaClients, format_error
from bridge.kafka.consumers import close_consumer, fetch
from bridge.kafka.offsets import fetch_committed_offsets
from bridge.kafka.records import Record
from bridge.observability.metrics import Metrics
from bridge.observability.tracing import Tracing, find_traceparent, parse_trace_id

BATCH = 5_000
"""Records that are fetched at a time."""

WAIT = 500
"""Milliseconds to wait for records."""

PAUSE = 1.0
"""Seconds before trying again what Kafka didn't take."""

log = structlog.get_logger(__name__)

Start = Callable[[], str | int]
"""Where to begin without a committed offset: `earliest`, `latest`, or a time in milliseconds since the epoch."""


class Intake(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    """One member of the intake's consumer group."""

    def __init__(
        self,
        kafka: KafkaClients,
        *,
        admin: Any,
        group: str,
        topics: Iterable[str],
        reader: SentParser,
        journal: JournalWriter,
        letters: DeadLetters,
        start: Start,
        metrics: Metrics,
        tracing: Tracing,
    ) -> None:
        self._kafka, self._admin, self._group, self._topics = kafka, admin, group, tuple(topics)
        self._reader, self._journal = reader, journal
        self._letters, self._start, self._metrics, self._tracing = letters, start, metrics, tracing
        self._joined = False

    @property
    def ready(self) -> bool:
        """Whether it has joined its group."""
        return self._joined

    async def run(self) -> None:
        """Consume until cancelled; whatever Kafka can't do now is tried again."""
        while True:
            try:
                await self._member()
            except (KafkaError, OSError) as error:
                log.warning("intake begins again", error=format_error(error))
                await asyncio.sleep(PAUSE)

    async def _member(self) -> None:
        consumer = await self._kafka.member(self._group)
        try:
            consumer.subscribe(self._topics, listener=self)
            await self._consume(consumer)
        finally:
            self._joined = False
            await close_consumer(consumer)

    def on_partitions_revoked(self, _revoked: Any) -> None:
        """A rebalance began. Nothing is kept a partition, so there is nothing to hand over."""
        self._joined = False

    def on_partitions_assigned(self, _assigned: Any) -> None:
        """The rebalance is over; there may be nothing for this member, which is as well."""
        self._joined = True

    async def _consume(self, consumer: AIOKafkaConsumer) -> None:
        while True:
            try:
                batches = await fetch(consumer, within=WAIT, most=BATCH)
            except (NoOffsetForPartitionError, OffsetOutOfRangeError) as error:
                await self._begin(consumer, error.args[0])
                continue
            if batches:
                await self._take(batches)
                await self._commit(consumer, batches)

    async def _take(self, batches: Mapping[TopicPartition, list[Any]]) -> None:
        """Append a batch, again and again until Kafka has it."""
        counts: Counter[tuple[str, str]] = Counter()
        entries: list[Sent] = []
        began = time.time_ns()
        found = [record for batch in batches.values() for record in batch]
        records: list[Record] = []
        async for some in yield_slices(found):
            records += [out for one in some if (out := self._read(one, counts, entries))]
        while True:
            try:
                # All at once: part of it could fail and come again after the rest, and the first sent would not win.
                await self._journal.append(records)
                break
            except KafkaUnavailableError as error:
                log.warning("the journal didn't take a batch of sent events; trying again", error=str(error))
                await asyncio.sleep(PAUSE)
        self._tracing.taken(entries, began)
        counters = {
            "accepted": self._metrics.sent_accepted,
            "skipped": self._metrics.sent_skipped,
            "dead": self._metrics.dead_letters_written,
        }
        for (kind, label), count in counts.items():
            counters[kind].labels(label).inc(count)

    def _read(self, record: Any, counts: Counter[tuple[str, str]], entries: list[Sent]) -> Record | None:
        now, origin = time.time_ns() // 1_000_000, (record.topic, record.partition, record.offset)
        try:
            entry = self._reader.read(record.value, now, record.headers, origin)
            if isinstance(entry, SkipReason):
                counts["skipped", entry.value] += 1
                return None
        except PoisonMessageError as poison:
            return self._letter(record, poison, counts)
        out = self._journal.record(entry)
        if out.size > MAX_ENTRY_BYTES:
            error = f"{out.size} bytes; the journal takes {MAX_ENTRY_BYTES}"
            return self._letter(record, PoisonMessageError(DeadLetterReason.TOO_LARGE, error), counts)
        counts["accepted", entry.provider] += 1
        entries.append(entry)
        return out

    def _letter(self, record: Any, poison: PoisonMessageError, counts: Counter[tuple[str, str]]) -> Record:
        counts["dead", poison.reason.value] += 1
        log.warning(
            "sent event goes to the dead letters",
            reason=poison.reason.value,
            error=poison.error,
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            message_id=self._reader.message_id(record.value),
            trace_id=parse_trace_id(find_traceparent(record.headers)),
        )
        return self._letters.record(
            poison.reason,
            poison.error,
            key=record.key,
            value=record.value,
            origin={
                "source_topic": record.topic,
                "source_partition": record.partition,
                "source_offset": record.offset,
            },
            received_at=time.time_ns() // 1_000_000,
        )

    async def _commit(self, consumer: AIOKafkaConsumer, batches: Mapping[TopicPartition, list[Any]]) -> None:
        offsets = {tp: batch[-1].offset + 1 for tp, batch in batches.items()}
        try:
            await shield_to_completion(consumer.commit(offsets))
        except (CommitFailedError, IllegalStateError) as error:
            # The partitions went to another member, which reads these again; the tracker drops repeats.
            log.info("offsets not committed; another member has the partitions", error=type(error).__name__)

    async def _begin(self, consumer: AIOKafkaConsumer, places: Any) -> None:
        """Choose where to begin reading partitions that have no offset, or one that retention has overtaken."""
        if isinstance(places, Mapping):
            log.error(
                "sent events were deleted before they were read",
                places={f"{t}/{n}": at for (t, n), at in places.items()},
            )
            offsets = await consumer.beginning_offsets(list(places))
        else:
            offsets = await self._starts(consumer)
            log.info("no committed offsets; intake begins", offsets={f"{t}/{n}": at for (t, n), at in offsets.items()})
        for tp, offset in offsets.items():
            consumer.seek(tp, offset)
        if offsets:
            await shield_to_completion(consumer.commit(offsets))

    async def _starts(self, consumer: AIOKafkaConsumer) -> dict[TopicPartition, int]:
        assigned = list(consumer.assignment())
        known = await fetch_committed_offsets(self._admin, self._group, assigned)
        tps = [tp for tp in assigned if tp not in known]
        if not tps:
            return {}
        start = self._start()
        if start == "earliest":
            return dict(await consumer.beginning_offsets(tps))
        ends: dict[TopicPartition, int] = await consumer.end_offsets(tps)
        if isinstance(start, str):
            return ends
        found = await consumer.offsets_for_times(dict.fromkeys(tps, max(0, start)))
        return {tp: found[tp].offset if found.get(tp) else ends[tp] for tp in tps}
