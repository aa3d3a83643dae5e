"""The tracker's transactions with its client and the same number of bytes, but without any logic.

It is the upper limit for any tracker with this client.
"""

import asyncio
import sys
from typing import Any, NamedTuple

import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.structs import OffsetAndMetadata

from bridge.kafka.compression import use_fast_compressors

MAX_RECORDS = 1_000
PARTITIONS = 4
EVENT_BYTES, STATE_BYTES = 800, 210
"""The bridge's sizes; the bytes are cut from the input, so that they compress equally well."""
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


class Arguments(NamedTuple):
    """The command line."""

    servers: str
    group: str
    journal: str
    delivery: str
    state: str
    folder: str
    share: str


async def move(arguments: Arguments) -> None:
    """Work through a journal forever, one transaction per batch."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=arguments.servers, group_id=arguments.group, enable_auto_commit=False, fetch_max_wait_ms=30
    )
    await consumer.start()
    partitions = [TopicPartition(arguments.journal, number) for number in range(PARTITIONS)]
    consumer.assign(partitions)
    await consumer.seek_to_beginning(*partitions)
    await asyncio.gather(*(_work(consumer, tp, arguments) for tp in partitions))


async def _work(consumer: AIOKafkaConsumer, tp: TopicPartition, arguments: Arguments) -> None:
    producer = AIOKafkaProducer(
        bootstrap_servers=arguments.servers,
        transactional_id=f"{arguments.group}.{tp.partition}",
        compression_type="lz4",
        max_batch_size=512 * 1024,
    )
    await producer.start()
    while True:
        records = (await consumer.getmany(tp, timeout_ms=1000, max_records=MAX_RECORDS)).get(tp, [])
        if not records:
            continue
        await producer.begin_transaction()
        events = [(r.key[:20], (r.value * 3)[:EVENT_BYTES], HEADERS) for r in records]
        states: list[Any] = [(r.key, r.value[:STATE_BYTES], []) for r in records]
        publishing = int(len(records) * float(arguments.share))
        outputs = [(TopicPartition(arguments.delivery, n), events[n:publishing:PARTITIONS]) for n in range(PARTITIONS)]
        outputs.append((TopicPartition(arguments.state, tp.partition), states))
        await asyncio.gather(*[future for to, output in outputs for future in await _send(producer, to, output)])
        offset = OffsetAndMetadata(records[-1].offset + 1, "")
        await producer.send_offsets_to_transaction({tp: offset}, arguments.group)
        await producer.commit_transaction()


async def _send(producer: AIOKafkaProducer, to: TopicPartition, records: list[Any]) -> list[asyncio.Future[Any]]:
    futures, batch = [], producer.create_batch()
    for key, value, headers in records:
        if batch.append(key=key, value=value, timestamp=None, headers=headers) is None:
            futures.append(await producer.send_batch(batch, to.topic, partition=to.partition))
            batch = producer.create_batch()
            batch.append(key=key, value=value, timestamp=None, headers=headers)
    futures.append(await producer.send_batch(batch, to.topic, partition=to.partition))
    return futures


if __name__ == "__main__":
    use_fast_compressors()  # as the bridge does; the client library's own compression is ten times slower
    uvloop.run(move(Arguments(*sys.argv[1:])))
