"""LZ4 as Kafka's own clients do it: at its fastest. The client library compresses at level 9, ten times as slowly.

It takes Kafka's "default level 9" by its word; Java's client reads that as "the fast compressor". For a journal's
entries level 9 costs 2.3 microseconds each, the fast one 0.2, and the bytes are two fifths more.
"""

import sys

import cramjam
from aiokafka.record.default_records import DefaultRecordBatchBuilder

FAST = 1


def use_fast_lz4() -> None:
    """Make every producer of this process compress quickly; what is written can be read by the same clients."""
    # The library has no setting for it: whatever module its builder lives in looks this name up there.
    sys.modules[DefaultRecordBatchBuilder.__module__].lz4_encode = _encoded  # type: ignore[attr-defined]


def _encoded(payload: bytes) -> bytes:
    # Blocks on their own: brokers don't read linked ones (KIP-57).
    compressor = cramjam.lz4.Compressor(level=FAST, content_checksum=False, block_linked=False)
    compressor.compress(payload)
    return bytes(compressor.finish())
