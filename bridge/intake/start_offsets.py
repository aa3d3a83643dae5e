"""Where to start reading a partition of `sms.sent` that has no committed offset: by setting, or from its beginning.

A partition that was added later is read from its beginning: nobody chose to skip it. So commits carry, as metadata, how
many partitions the topic had when its first offsets were chosen.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.structs import OffsetAndMetadata

from bridge.concurrency import shield_to_completion
from bridge.kafka.offsets import fetch_committed_offsets, look_up_each

MIN_PLAUSIBLE_MS = 100_000_000_000
"""In milliseconds, March 1973: the earliest time that isn't taken for another unit or none at all."""

METADATA = "partitions="

log = structlog.get_logger(__name__)


class CommittedOffsets:
    """What the intake's group has committed, with the metadata that it needs.

    Args:
        admin: Looks up committed offsets.
        group: The intake's group.
    """

    def __init__(self, admin: Any, group: str) -> None:
        self._admin, self._group = admin, group
        self._first_counts: dict[str, int] = {}
        """How many partitions each topic had when its first offsets were chosen."""
        self.committed: dict[TopicPartition, int] = {}
        """What this process has committed."""

    async def find_missing(self, consumer: AIOKafkaConsumer) -> tuple[list[TopicPartition], list[TopicPartition]]:
        """Find the assigned partitions without a committed offset.

        Returns:
            Those that were there from the start, and those that were added later or created again.

        Raises:
            KafkaError: There is no answer.
        """
        first: list[TopicPartition] = []
        added: list[TopicPartition] = []
        for topic in sorted({tp.topic for tp in consumer.assignment()}):
            committed = await self._fetch(consumer, topic)
            for tp in sorted(consumer.assignment() - committed):
                if tp.topic == topic:
                    is_first = tp.partition < self._first_counts[topic] and tp not in self.committed
                    (first if is_first else added).append(tp)
        return first, added

    async def commit(self, consumer: AIOKafkaConsumer, offsets: Mapping[TopicPartition, int]) -> None:
        """Commit offsets.

        Raises:
            CommitFailedError: Another member has the partitions now.
            IllegalStateError: The same.
            KafkaError: Kafka doesn't take them.
        """
        for topic in {tp.topic for tp in offsets} - self._first_counts.keys():
            await self._fetch(consumer, topic)
        metadata = {topic: f"{METADATA}{count}" for topic, count in self._first_counts.items()}
        at = {tp: OffsetAndMetadata(offset, metadata[tp.topic]) for tp, offset in offsets.items()}
        await shield_to_completion(consumer.commit(at))
        self.committed.update(offsets)

    async def _fetch(self, consumer: AIOKafkaConsumer, topic: str) -> set[TopicPartition]:
        count = len(consumer.partitions_for_topic(topic) or ())
        tps = [TopicPartition(topic, number) for number in range(count)]
        committed = await fetch_committed_offsets(self._admin, self._group, tps)
        self._first_counts.setdefault(topic, _find_first_count(committed.values(), count))
        return set(committed)


def _find_first_count(committed: Iterable[OffsetAndMetadata], count: int) -> int:
    """Find a topic's first number of partitions in its commits; a topic without commits is read for the first time."""
    texts = [at.metadata.removeprefix(METADATA) for at in committed]
    known = [int(text) for text in texts if text.isascii() and text.isdigit()]
    # Commits without it are another tool's, or an older version's: whoever read the topic then read all of it.
    return min(known) if known else 0 if texts else count


async def choose_offsets(
    consumer: AIOKafkaConsumer, tps: Iterable[TopicPartition], start: str | int
) -> dict[TopicPartition, int]:
    """Choose where to start in partitions that are there from the start; in one without a leader, later.

    Args:
        consumer: Asks Kafka.
        tps: The partitions.
        start: `earliest`, `latest`, or milliseconds since the epoch.

    Raises:
        KafkaError: There is no answer.
    """
    beginnings = await look_up_each(consumer.beginning_offsets, tps)
    tps = list(beginnings)
    if start == "earliest":
        return beginnings
    ends: dict[TopicPartition, int] = await consumer.end_offsets(tps)
    if isinstance(start, str):
        return ends
    found = await consumer.offsets_for_times(dict.fromkeys(tps, max(0, start)))
    first = await consumer.offsets_for_times(dict.fromkeys(tps, 1))
    offsets = {}
    for tp in tps:
        offsets[tp] = found[tp].offset if found.get(tp) else ends[tp]
        has_times = first.get(tp) is not None and first[tp].timestamp >= MIN_PLAUSIBLE_MS
        if beginnings[tp] < ends[tp] and not has_times:
            log.warning("records have no timestamps in milliseconds; reading all of them", partition=name_partition(tp))
            offsets[tp] = beginnings[tp]
    return offsets


def name_partition(tp: TopicPartition) -> str:
    """Name a partition for the log."""
    return f"{tp.topic}/{tp.partition}"
