"""Batches of several partitions share a request."""

import asyncio

import pytest
from aiokafka.producer.sender import Sender

from bridge.kafka import batching_producer
from bridge.kafka.batching_producer import BatchingProducer
from bridge.kafka.records import Record
from tests.support.kafka.clients import clients_of, make_topic

PARTITIONS = 3


async def test_batches_share_a_request(kafka: str, unique: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A broker gets one request at a time: a partition that left a moment before would let the others wait for it."""
    monkeypatch.setattr(batching_producer, "LINGER_SECONDS", 0.3)
    clients = clients_of(kafka)
    await make_topic(clients, unique, PARTITIONS)
    requests: list[int] = []
    send = Sender._send_produce_req  # noqa: SLF001 - what leaves is what the test is about

    async def counted(sender: Sender, node: int, batches: dict[object, object]) -> None:
        requests.append(len(batches))
        await send(sender, node, batches)

    monkeypatch.setattr(Sender, "_send_produce_req", counted)
    writer = BatchingProducer(clients)
    await writer.start()
    try:
        for wave in range(2):
            appended = []
            for number in range(PARTITIONS):
                appended.append(writer.append([Record(unique, number, b"key", b"value")]))
                await asyncio.sleep(0.002)
            await asyncio.gather(*appended)
            assert requests == [PARTITIONS] * (wave + 1)
    finally:
        await writer.stop(5.0)
