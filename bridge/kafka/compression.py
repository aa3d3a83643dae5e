"""LZ4 as Kafka's Java client does it: with the fast compressor.

The client library takes Kafka's "default level 9" literally, which is ten times as slow. For a journal entry level 9
costs 2.3 microseconds, the fast compressor 0.2, and the result is two fifths larger.
"""

import sys

import cramjam
from aiokafka.record.default_records import DefaultRecordBatchBuilder

FAST_LEVEL = 1


def use_fast_lz4() -> None:
    """Make every producer of this process compress quickly; the same clients can read what it writes."""
    # The library has no setting for it: the builder looks this name up in its own module.
    sys.modules[DefaultRecordBatchBuilder.__module__].lz4_encode = _encode  # type: ignore[attr-defined]


def _encode(payload: bytes) -> bytes:
    # Independent blocks: brokers don't read linked ones (KIP-57).
    compressor = cramjam.lz4.Compressor(level=FAST_LEVEL, content_checksum=False, block_linked=False)
    compressor.compress(payload)
    return bytes(compressor.finish())
