"""Reads spans of topics, from a time to now, in batches. It belongs to no group and commits nothing."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any, NamedTuple, Self

from aiokafka import AIOKafkaConsumer, TopicPartition

from bridge.clock import now_ms
from bridge.concurrency import stop_with_timeout
from bridge.core.errors import ConfigurationError
from bridge.core.timestamps import parse_rfc3339
from bridge.kafka.clients import KafkaClients
from bridge.kafka.consumers import close_consumer
from bridge.kafka.offsets import fetch_committed_offsets
from bridge.settings.types import parse_duration

MAX_RECORDS = 500
"""Of one batch: the process that searches has other work, and a batch holds it up for some 10 ms."""
FETCH_TIMEOUT_MS = 1_000
"""To wait for records that should be there."""

MAX_EMPTY_FETCHES = 10
"""After so many in a row a span counts as read: its last offsets may be transaction markers."""

Take = Callable[[Any], None]
Progress = Callable[[int, int], None]
"""Called with how many offsets were read, and of how many."""


class OffsetSpan(NamedTuple):
    """Offsets of a partition: from `start` up to but without `end`."""

    start: int
    end: int


class TopicScanner:
    """Reads committed records. Made by `open_scanner`."""

    def __init__(self, consumer: AIOKafkaConsumer, admin: Any) -> None:
        self._consumer, self.admin = consumer, admin
        self.read = 0
        """Records read so far."""

    async def partitions(self, topic: str) -> int:
        """Look up how many partitions a topic has.

        Raises:
            ConfigurationError: There is no such topic, or we may not know.
        """
        [described] = await self.admin.describe_topics([topic])
        if described["error_code"] or not described["partitions"]:
            raise ConfigurationError(f"the topic {topic!r} is missing, or this user may not describe it")
        return len(described["partitions"])

    async def spans(
        self, topic: str, since: int, only: Iterable[int] | None = None
    ) -> dict[TopicPartition, OffsetSpan]:
        """Find the spans from a time, in milliseconds since the epoch, to the partitions' ends now."""
        numbers = range(await self.partitions(topic)) if only is None else only
        tps = [TopicPartition(topic, number) for number in numbers]
        self._consumer.assign(tps)
        ends = await self._consumer.end_offsets(tps)
        found = await self._consumer.offsets_for_times(dict.fromkeys(tps, max(0, since)))
        return {tp: OffsetSpan(found[tp].offset if found.get(tp) else ends[tp], ends[tp]) for tp in tps}

    async def scan(
        self, spans: Mapping[TopicPartition, OffsetSpan], take: Take, progress: Progress | None = None
    ) -> None:
        """Pass every record of these spans to `take`, in order within a partition."""
        left = {tp: span for tp, span in spans.items() if span.start < span.end}
        if not left:
            return
        total = sum(span.end - span.start for span in left.values())
        self._consumer.assign(list(left))
        for tp, span in left.items():
            self._consumer.seek(tp, span.start)
        empty_fetches = 0
        while left and empty_fetches < MAX_EMPTY_FETCHES:
            batches = await self._consumer.getmany(*left, timeout_ms=FETCH_TIMEOUT_MS, max_records=MAX_RECORDS)
            empty_fetches = 0 if batches else empty_fetches + 1
            for tp, batch in batches.items():
                end = spans[tp].end
                self.read += len(batch)
                for record in batch:
                    if record.offset < end:
                        take(record)
            positions = {tp: await self._consumer.position(tp) for tp in left}
            left = {tp: span for tp, span in left.items() if positions[tp] < span.end}
            self._consumer.pause(*(tp for tp in positions if tp not in left))
            await asyncio.sleep(0)  # buffered records come without a pause, and others share the event loop
            if progress:
                progress(total - sum(span.end - positions[tp] for tp, span in left.items()), total)

    async def peek(self, tp: TopicPartition, offset: int) -> None:
        """Fetch at an offset, whether there is a record or not.

        Raises:
            TopicAuthorizationFailedError: This user may not read the topic.
        """
        self._consumer.assign([tp])
        self._consumer.seek(tp, offset)
        await self._consumer.getmany(tp, timeout_ms=FETCH_TIMEOUT_MS, max_records=1)

    async def committed(self, group: str, tps: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """Look up a group's committed offsets; 0 where it has none."""
        found = await fetch_committed_offsets(self.admin, group, list(tps))
        return {tp: found[tp].offset if tp in found else 0 for tp in tps}

    async def leader(self, tp: TopicPartition) -> int:
        """Look up the broker that leads a partition."""
        [described] = await self.admin.describe_topics([tp.topic])
        return int(next(p["leader"] for p in described["partitions"] if p["partition"] == tp.partition))

    async def send(self, node: int, request: Any) -> Any:
        """Send one broker a request for which the client library has no method."""
        return await self.admin._send_request_to_node(node, request)  # noqa: SLF001 - there is no other way

    @classmethod
    async def open(cls, kafka: KafkaClients) -> Self:
        """Connect.

        Raises:
            ConfigurationError: No Kafka answers.
        """
        admin = await kafka.admin()
        return cls(await kafka.reader(committed=True), admin)

    async def close(self) -> None:
        """Disconnect."""
        await close_consumer(self._consumer)
        await stop_with_timeout(self.admin.close(), "admin client")


@asynccontextmanager
async def open_scanner(kafka: KafkaClients) -> AsyncIterator[TopicScanner]:
    """Open a scanner for this block."""
    made = await TopicScanner.open(kafka)
    try:
        yield made
    finally:
        await made.close()


def parse_moment(text: str) -> int:
    """Parse `2h`, `3d` (ago) or an RFC 3339 time into milliseconds since the epoch.

    Raises:
        ValueError: It is neither.
    """
    try:
        return now_ms() - parse_duration(text)
    except ValueError:
        pass
    moment = parse_rfc3339(text)
    if moment is None:
        raise ValueError("should be a duration such as 2h or 3d, or a time such as 2026-01-31T12:00:00Z")
    return moment
