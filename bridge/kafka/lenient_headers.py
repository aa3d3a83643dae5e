"""Records whose header names aren't UTF-8: other clients write them, and the client library can't read past one.

Kafka's protocol wants UTF-8 there, but no broker checks it. The library's parser raises an error for such a record, at
each attempt, and loses the records before it. So from the batch with that record on, another parser of the library's is
used, in which other bytes are escaped. All other batches are parsed as before, by compiled code.
"""

from typing import Any

from aiokafka.consumer import fetcher
from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.memory_records import MemoryRecords, _MemoryRecordsPy

FIRST_MAGIC_WITH_HEADERS = 2


def tolerate_header_names() -> None:
    """Make every consumer of this process read records with such headers."""
    # The library has no setting for it: the fetcher looks these names up in its own module.
    fetcher.MemoryRecords = _KeptRecords
    fetcher.PartitionRecords = _TolerantPartitionRecords


class _KeptRecords(MemoryRecords):  # type: ignore[misc]  # aiokafka has no types
    """Records whose bytes can be parsed again."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.data = data


class _TolerantPartitionRecords(fetcher.PartitionRecords):  # type: ignore[misc]
    """Iterates over fetched records, and over those that can't be read another time, leniently."""

    _records: Any

    def __next__(self) -> Any:
        try:
            return super().__next__()
        except UnicodeDecodeError:
            self._records = _LenientRecords(self._records.data, self.next_fetch_offset)
            self._records_iterator = self._unpack_records()
            return super().__next__()


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
