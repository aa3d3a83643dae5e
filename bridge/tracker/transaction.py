"""One Kafka transaction: events, states, dead letters and the journal's offset, together or not at all."""

import asyncio
from collections.abc import Iterable, Sequence

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.structs import OffsetAndMetadata

from bridge.codec import encode_delivery
from bridge.core.publication import Publication
from bridge.kafka.clients import Header, Record, send_batches
from bridge.kafka.offsets import Committed
from bridge.kafka.partitioner import partition_for
from bridge.tracker.layout import Change

EVENT_TYPE = "sms.delivery.v1"
DATA_SCHEMA = "urn:sms-bridge:schema:sms.delivery:v1.0"
"""The schema that events of this version are written by, with its minor version."""

COMMIT_WITHIN = 12.0
"""Seconds; less than the transaction's time-out, so that we know first."""


async def commit(
    producer: AIOKafkaProducer,
    records: Sequence[Record],
    *,
    state_topic: str,
    tp: TopicPartition,
    place: Committed,
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

        # Step 4. The journal's offset joins the transaction.
        offset = OffsetAndMetadata(place.offset, place.metadata)
        await producer.send_offsets_to_transaction({tp: offset}, group)

        # Step 5. Commit.
        await producer.commit_transaction()
    return max(ends, default=None)


def event_records(publications: Iterable[Publication], topic: str, partitions: int, source: str) -> list[Record]:
    """Events as records, with the headers of the CloudEvents Kafka binding (binary mode)."""
    fixed: list[Header] = [
        ("ce_specversion", b"1.0"),
        ("ce_type", EVENT_TYPE.encode()),
        ("ce_source", source.encode()),
        ("ce_dataschema", DATA_SCHEMA.encode()),
        ("content-type", b"application/json"),
    ]
    records = []
    for delivery, observed_at, traceparent in publications:
        key = delivery.message_id.encode()
        headers = [
            *fixed,
            ("ce_id", delivery.event_id.encode()),
            ("ce_subject", key),
            ("ce_time", delivery.occurred_at.encode()),
        ]
        if traceparent:
            headers.append(("traceparent", traceparent.encode()))
        value = encode_delivery(delivery)
        records.append(Record(topic, partition_for(key, partitions), key, value, headers, observed_at))
    return records


def state_records(changes: Iterable[Change], topic: str, partition: int) -> list[Record]:
    """Changed states as records of the state topic; one that is forgotten is a tombstone."""
    return [
        Record(topic, partition, change.key.encode(), None if change.after is None else change.encoded)
        for change in changes
    ]
