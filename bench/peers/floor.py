"""The floor: the tracker's transactions on the tracker's client, moving as many bytes as it does, and no logic at all.

What any tracker on this client can reach at best.
"""

import asyncio
import sys
from typing import Any, NamedTuple

import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.structs import OffsetAndMetadata

from bridge.kafka.compression import use_fast_lz4

AT_ONCE = 1_000
PARTITIONS = 4
EVENT_BYTES, STATE_BYTES = 800, 210
"""As the bridge's are; cut out of what came, so that they compress as theirs do."""
HEADERS = [
    ("ce_specversion", b"1.0"),
    ("ce_type", b"sms.delivery.v1"),
    ("ce_source", b"/sms-bridge/bench"),
    ("ce_dataschema", b"urn:sms-bridge:schema:sms.delivery:v1.0"),
    ("content-type", b"application/json"),
    ("ce_id", b"i" * 36),
    ("ce_subject", b"m" * 20),
    ("ce_time", b"2026-11-22T08:00:00.000Z"),
]


class Told(NamedTuple):
    """What the benchmark says."""

    servers: str
    group: str
    journal: str
    delivery: str
    state: str
    folder: str
    share: str


async def move(told: Told) -> None:
    """Work through a journal, a transaction a batch, for ever."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=told.servers, group_id=told.group, enable_auto_commit=False, fetch_max_wait_ms=30
    )
    await consumer.start()
    partitions = [TopicPartition(told.journal, number) for number in range(PARTITIONS)]
    consumer.assign(partitions)
    await consumer.seek_to_beginning(*partitions)
    await asyncio.gather(*(_work(consumer, tp, told) for tp in partitions))


async def _work(consumer: AIOKafkaConsumer, tp: TopicPartition, told: Told) -> None:
    producer = AIOKafkaProducer(
        bootstrap_servers=told.servers,
        transactional_id=f"{told.group}.{tp.partition}",
        compression_type="lz4",
        max_batch_size=512 * 1024,
    )
    await producer.start()
    while True:
        records = (await consumer.getmany(tp, timeout_ms=1000, max_records=AT_ONCE)).get(tp, [])
        if not records:
            continue
        await producer.begin_transaction()
        events = [(r.key[:20], (r.value * 3)[:EVENT_BYTES], HEADERS) for r in records]
        states: list[Any] = [(r.key, r.value[:STATE_BYTES], []) for r in records]
        told_of = int(len(records) * float(told.share))
        lanes = [(TopicPartition(told.delivery, n), events[n:told_of:PARTITIONS]) for n in range(PARTITIONS)]
        lanes.append((TopicPartition(told.state, tp.partition), states))
        await asyncio.gather(*[future for to, lane in lanes for future in await _sent(producer, to, lane)])
        offset = OffsetAndMetadata(records[-1].offset + 1, "")
        await producer.send_offsets_to_transaction({tp: offset}, told.group)
        await producer.commit_transaction()


async def _sent(producer: AIOKafkaProducer, to: TopicPartition, lane: list[Any]) -> list[asyncio.Future[Any]]:
    futures, batch = [], producer.create_batch()
    for key, value, headers in lane:
        if batch.append(key=key, value=value, timestamp=None, headers=headers) is None:
            futures.append(await producer.send_batch(batch, to.topic, partition=to.partition))
            batch = producer.create_batch()
            batch.append(key=key, value=value, timestamp=None, headers=headers)
    futures.append(await producer.send_batch(batch, to.topic, partition=to.partition))
    return futures


if __name__ == "__main__":
    use_fast_lz4()  # as the bridge does: the client library on its own compresses ten times as slowly
    uvloop.run(move(Told(*sys.argv[1:])))
