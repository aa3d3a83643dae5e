"""Fetched records are what the client library's own are, without what nobody uses."""

from itertools import islice
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.consumer import fetcher
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.memory_records import MemoryRecords

from bridge.kafka import fetched_records
from bridge.kafka.fetched_records import FetchedRecord, replace_fetched_records

TP = TopicPartition("topic", 3)
LIBRARYS_OWN = fetched_records._PartitionRecords.__base__  # noqa: SLF001 - another test may have replaced its name


def write(codec: int) -> bytes:
    """Write a batch of records of all kinds."""
    builder = BatchBuilder(100_000, codec)
    for number in range(20):
        builder.append(
            timestamp=1_000 + number,
            key=None if number % 4 == 1 else b"key",
            value=None if number % 4 == 2 else b"%d" % number,
            headers=[("name", b"value"), ("empty", None)] if number % 2 else [],
        )
    return bytes(builder._build())  # noqa: SLF001 - what a producer sends


def open_records(kind: Any, records: Any, offset: int = 0) -> Any:
    """Open fetched records, as the library does."""
    return kind(TP, records, None, offset, None, None, check_crcs=True, isolation_level=0)


@pytest.fixture
def replaced(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The library's module with its names replaced."""
    monkeypatch.setattr(fetcher, "PartitionRecords", fetcher.PartitionRecords)
    monkeypatch.setattr(fetcher, "MemoryRecords", fetcher.MemoryRecords)
    replace_fetched_records()
    return fetcher


@pytest.mark.parametrize("codec", [0, 1, 3, 4])
@pytest.mark.parametrize("offset", [0, 7])
def test_records_are_the_librarys(replaced: Any, codec: int, offset: int) -> None:
    """The same members have the same values, whatever the compression, and from any offset on."""
    data = write(codec)
    own = list(open_records(LIBRARYS_OWN, MemoryRecords(data), offset))
    found = list(open_records(replaced.PartitionRecords, replaced.MemoryRecords(data), offset))
    assert len(found) == 20 - offset
    for expected, record in zip(own, found, strict=True):
        members = {name: getattr(record, name) for name in FetchedRecord.__struct_fields__}
        assert members == {**{name: getattr(expected, name) for name in members}, "headers": list(expected.headers)}


def test_reading_goes_on_where_it_stopped(replaced: Any) -> None:
    """A fetch is taken in parts; after its end there is nothing."""
    records = open_records(replaced.PartitionRecords, replaced.MemoryRecords(write(0)))
    assert [record.offset for record in islice(records, 5)] == list(range(5))
    assert records.next_fetch_offset == 5
    assert [record.offset for record in records] == list(range(5, 20))
    assert list(records) == []
