"""Records of other clients are read, whatever bytes their headers' names are."""

from typing import Any
from uuid import uuid4

import pytest
from aiokafka import TopicPartition

from bridge.kafka.consumers import close_consumer, fetch
from tests.support.kafka.clients import clients_of, make_topic
from tests.support.kafka.raw import RawRecord, write_raw

NONE, GZIP, LZ4 = 0, 1, 3
ODD = [(b"\xff\xfe", b"1"), (b"na\xc3me", None), (b"", b""), ("ü".encode(), b"2"), ("\u00fc".encode("latin-1"), b"3")]


@pytest.mark.parametrize("committed", [True, False])
@pytest.mark.parametrize("compression", [NONE, GZIP, LZ4])
async def test_odd_header_names_are_escaped(kafka: str, compression: int, *, committed: bool) -> None:
    """No record before, beside or after one with such headers is lost or read twice."""
    clients, topic = clients_of(kafka), f"headers-{uuid4().hex[:8]}"
    await make_topic(clients, topic)
    plain = [(b"name", b"value")]
    written = [RawRecord(b"%d" % number, b"value", ODD if number % 5 == 3 else plain) for number in range(24)]
    for first in range(0, 24, 4):
        await write_raw(kafka, topic, written[first : first + 4], compression=compression)
    consumer, tp = await clients.reader(committed=committed), TopicPartition(topic, 0)
    try:
        consumer.assign([tp])
        consumer.seek(tp, 0)
        found: list[Any] = []
        while len(found) < 24:
            found += (await fetch(consumer, tp, timeout_ms=5_000, max_records=5)).get(tp, [])
    finally:
        await close_consumer(consumer)
    assert [record.offset for record in found] == list(range(24))
    assert [record.key for record in found] == [record.key for record in written]
    assert [len(record.headers) for record in found] == [len(record.headers) for record in written]
    names = [name for name, _ in next(record.headers for record in found if len(record.headers) > 1)]
    assert names == ["\\xff\\xfe", "na\\xc3me", "", "ü", "\\xfc"]
