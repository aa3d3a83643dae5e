"""Batches are compressed quickly, and every client can read them."""

import gzip

import pytest
from aiokafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder

from bridge.kafka.compression import use_fast_compressors
from bridge.settings.kafka import KafkaSettings

HEADER_BYTES = 61
"""A batch's header; what follows is compressed."""

GZIP, LZ4 = 1, 3
FASTEST = 4
"""The gzip header's value for the fastest compressor."""


def build(codec: int, values: list[bytes]) -> bytes:
    """Return a batch with these values."""
    use_fast_compressors()
    builder = DefaultRecordBatchBuilder(2, codec, 0, -1, -1, -1, 1_000_000)
    for offset, value in enumerate(values):
        builder.append(offset, timestamp=1, key=b"k", value=value, headers=[])
    return bytes(builder.build())


@pytest.mark.parametrize("codec", [GZIP, LZ4])
def test_batches_can_be_read(codec: int) -> None:
    """The client library, which uses other code to read, finds the same records."""
    values = [b'{"event_id":"%d","status":"delivered"}' % number for number in range(500)]
    batch = build(codec, values)
    assert len(batch) < sum(map(len, values)) / 2
    assert [record.value for record in DefaultRecordBatch(batch)] == values


def test_the_default_is_gzip_at_its_fastest() -> None:
    """Every client reads it without another package; the client library's own level takes nine times as long."""
    assert KafkaSettings(bootstrap_servers=("localhost:9092",)).compression == "gzip"
    body = build(GZIP, [b"x" * 2000])[HEADER_BYTES:]
    assert body[8] == FASTEST
    assert b"x" * 2000 in gzip.decompress(body)
