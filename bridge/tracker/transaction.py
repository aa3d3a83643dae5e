"""One Kafka transaction: events, states, dead letters and the journal's offset, together or not at all."""

import asyncio
from collections.abc import Iterable, Sequence

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.structs import OffsetAndMetadata

from bridge.journal.offsets import JournalOffset
from bridge.kafka.records import Record, send_batches
from bridge.state.keys import StateChange

COMMIT_WITHIN = 12.0
"""Seconds; less than the transaction's time-out, so that we know first."""


async def commit_transaction(
    producer: AIOKafkaProducer,
    records: Sequence[Record],
    *,
    state_topic: str,
    tp: TopicPartition,
    place: JournalOffset,
    group: str,
) -> int | None:
    """Write all of this, and the journal's offset, or nothing.

    Returns:
        The offset of the state topic after what was written there; None when nothing was.

    Raises:
        KafkaError: It isn't known to be written; the producer must be replaced, and its successor finds out.
        TimeoutError: The same.
    """
    async with asyncio.timeout(COMMIT_WITHIN):
        # Step 1. Begin.
        await producer.begin_transaction()

        # Step 2. Hand over every batch.
        sent = await send_batches(producer, records)

        # Step 3. See every batch acknowledged: a commit would go through without one that failed.
        written = await asyncio.gather(*(future for future, _ in sent))
        ends = [at.offset + count for at, (_, count) in zip(written, sent, strict=True) if at.topic == state_topic]

        # Step 4. The journal's offset joins the transaction: not before, for a broker that still verifies the batches
        # answers it as the client library doesn't expect.
        offset = OffsetAndMetadata(place.offset, place.metadata)
        await producer.send_offsets_to_transaction({tp: offset}, group)

        # Step 5. Commit.
        await producer.commit_transaction()
    return max(ends, default=None)


def make_state_records(changes: Iterable[StateChange], topic: str, partition: int) -> list[Record]:
    """Changed states as records of the state topic; one that is forgotten is a tombstone."""
    return [
        Record(topic, partition, change.key.encode(), None if change.after is None else change.encoded)
        for change in changes
    ]
