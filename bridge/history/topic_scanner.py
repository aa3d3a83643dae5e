"""Reading stretches of topics: from a time to now, in batches, and no further. Belongs to no group, commits nothing."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, NamedTuple, Self

from aiokafka import AIOKafkaConsumer, TopicPartition

from bridge.clock import now_ms
from bridge.concurrency import stop_with_timeout
from bridge.core.errors import ConfigurationError
from bridge.kafka.clients import KafkaClients
from bridge.kafka.consumers import close_consumer
from bridge.kafka.offsets import fetch_committed_offsets
from bridge.settings.types import parse_duration

BATCH = 5_000
WAIT = 1_000
"""Milliseconds to wait for records that should be there."""

SILENT = 10
"""Waits without any record after which a stretch counts as read: its end may be an offset that nobody will fill."""

Take = Callable[[Any], None]
Progress = Callable[[int, int], None]
"""Told how many offsets of how many were read."""


class OffsetSpan(NamedTuple):
    """Offsets of a partition: from, and up to but without."""

    start: int
    end: int


class TopicScanner:
    """Reads what was committed. Made by `open_scanner`."""

    def __init__(self, consumer: AIOKafkaConsumer, admin: Any) -> None:
        self._consumer, self.admin = consumer, admin
        self.read = 0
        """Records read so far."""

    async def partitions(self, topic: str) -> int:
        """How many partitions a topic has.

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
        """From a time, in milliseconds since the epoch, to the end that the partitions have now."""
        numbers = range(await self.partitions(topic)) if only is None else only
        tps = [TopicPartition(topic, number) for number in numbers]
        self._consumer.assign(tps)
        ends = await self._consumer.end_offsets(tps)
        found = await self._consumer.offsets_for_times(dict.fromkeys(tps, max(0, since)))
        return {tp: OffsetSpan(found[tp].offset if found.get(tp) else ends[tp], ends[tp]) for tp in tps}

    async def scan(
        self, spans: Mapping[TopicPartition, OffsetSpan], take: Take, progress: Progress | None = None
    ) -> None:
        """Hand over every record of these stretches, in order within a partition."""
        left = {tp: span for tp, span in spans.items() if span.start < span.end}
        if not left:
            return
        total = sum(span.end - span.start for span in left.values())
        self._consumer.assign(list(left))
        for tp, span in left.items():
            self._consumer.seek(tp, span.start)
        silent = 0
        while left and silent < SILENT:
            batches = await self._consumer.getmany(*left, timeout_ms=WAIT, max_records=BATCH)
            silent = 0 if batches else silent + 1
            for tp, batch in batches.items():
                end = spans[tp].end
                self.read += len(batch)
                for record in batch:
                    if record.offset < end:
                        take(record)
            positions = {tp: await self._consumer.position(tp) for tp in left}
            left = {tp: span for tp, span in left.items() if positions[tp] < span.end}
            self._consumer.pause(*(tp for tp in positions if tp not in left))
            await asyncio.sleep(0)  # what is buffered comes at once, and others may share the loop
            if progress:
                progress(total - sum(span.end - positions[tp] for tp, span in left.items()), total)

    async def peek(self, tp: TopicPartition, offset: int) -> None:
        """Ask for what stands at an offset, be there anything or not.

        Raises:
            TopicAuthorizationFailedError: We may not.
        """
        self._consumer.assign([tp])
        self._consumer.seek(tp, offset)
        await self._consumer.getmany(tp, timeout_ms=WAIT, max_records=1)

    async def committed(self, group: str, tps: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """The offsets that a group has come to; 0 where it has none."""
        found = await fetch_committed_offsets(self.admin, group, list(tps))
        return {tp: found[tp].offset if tp in found else 0 for tp in tps}

    async def leader(self, tp: TopicPartition) -> int:
        """The broker that leads a partition."""
        [described] = await self.admin.describe_topics([tp.topic])
        return int(next(p["leader"] for p in described["partitions"] if p["partition"] == tp.partition))

    async def send(self, node: int, request: Any) -> Any:
        """Ask one broker something that no client of this library has a method for."""
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
    """A scanner for this block."""
    made = await TopicScanner.open(kafka)
    try:
        yield made
    finally:
        await made.close()


def parse_moment(text: str) -> int:
    """`2h`, `3d` (ago) or an RFC 3339 time, in milliseconds since the epoch.

    Raises:
        ValueError: It is neither.
    """
    try:
        return now_ms() - parse_duration(text)
    except ValueError:
        pass
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("should be a duration such as 2h or 3d, or a time such as 2026-01-31T12:00:00Z") from None
    return int(parsed.replace(tzinfo=parsed.tzinfo or UTC).timestamp() * 1000)
