"""Fetched records: made quickly, and also from those whose header names aren't UTF-8.

The client library makes a record of eleven members through three calls: 1.3 microseconds, of which its parser, which is
compiled, takes 0.3. Here, a record has the seven members that are used, and takes 0.6.

Other clients write header names that aren't UTF-8. Kafka's protocol wants UTF-8 there, but no broker checks it. The
library's parser raises an error for such a record, at each attempt, and loses the records before it. So from the batch
with that record on, another parser of the library's is used, in which other bytes are escaped.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from aiokafka import TopicPartition
from aiokafka.consumer import fetcher
from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.memory_records import MemoryRecords, _MemoryRecordsPy
from msgspec import Struct

FIRST_MAGIC_WITH_HEADERS = 2


class FetchedRecord(Struct, frozen=True, gc=False):
    """A record as consumers get it. The timestamp is in milliseconds since the epoch."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]


def replace_fetched_records() -> None:
    """Make every consumer of this process read such records."""
    # The library has no setting for it: the fetcher looks these names up in its own module.
    fetcher.MemoryRecords = _KeptRecords
    fetcher.PartitionRecords = _PartitionRecords


class _KeptRecords(MemoryRecords):  # type: ignore[misc]  # aiokafka has no types
    """Records whose bytes can be parsed again."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.data = data


class _PartitionRecords(fetcher.PartitionRecords):  # type: ignore[misc]
    """Iterates over fetched records, and over those that can't be read another time, leniently."""

    _records: Any
    next_fetch_offset: int

    def __iter__(self) -> Iterator[FetchedRecord]:
        return self._records_iterator or iter(())

    def _unpack_records(self) -> Iterator[FetchedRecord]:
        try:
            yield from super()._unpack_records()
        except UnicodeDecodeError:
            self._records = _LenientRecords(self._records.data, self.next_fetch_offset)
            yield from super()._unpack_records()

    def _consumer_record(self, tp: TopicPartition, record: Any) -> FetchedRecord:
        return FetchedRecord(
            tp.topic, tp.partition, record.offset, record.timestamp, record.key, record.value, record.headers
        )


class _LenientRecords:
    """Batches of fetched records, from the one with an offset on."""

    def __init__(self, data: bytes, offset: int) -> None:
        self._records = _MemoryRecordsPy(data)
        self._next = self._read_batch()
        while self._next is not None and self._next.next_offset <= offset:
            self._next = self._read_batch()

    def has_next(self) -> bool:
        return self._next is not None

    def next_batch(self) -> Any:
        batch, self._next = self._next, self._read_batch()
        return batch

    def _read_batch(self) -> Any:
        data = self._records._next_slice  # noqa: SLF001
        batch = self._records.next_batch()
        return batch if data is None or data[self._records.MAGIC_OFFSET] < FIRST_MAGIC_WITH_HEADERS else _Batch(data)


class _Batch(_DefaultRecordBatchPy):  # type: ignore[misc]
    """A batch whose header names are decoded leniently."""

    _buffer: bytearray

    def _maybe_uncompress(self) -> None:
        super()._maybe_uncompress()
        if not isinstance(self._buffer, _LenientBytes):
            self._buffer = _LenientBytes(self._buffer)


class _LenientBytes(bytearray):
    """Bytes of which any part can be decoded."""

    def __getitem__(self, index: Any) -> Any:
        part = super().__getitem__(index)
        return part if isinstance(part, int) else type(self)(part)

    def decode(self, encoding: str = "utf-8", errors: str = "backslashreplace") -> str:
        """Decode these bytes, and escape those that can't be decoded."""
        return super().decode(encoding, errors)
