"""Inflates compressed bodies, within a bound. Pure."""

import zlib
from collections.abc import Mapping

from bridge.core.errors import UnsupportedMediaTypeError
from bridge.http_server.messages import MAX_BODY_BYTES, BodyIncompleteError, BodyTooLargeError

ENCODINGS: Mapping[str, tuple[int, ...]] = {
    "gzip": (31,),
    "x-gzip": (31,),
    "deflate": (15, -15),  # with zlib's header (RFC 9110, 8.4.1.2), or without it, as some clients send it
}
"""The encodings that are inflated, with zlib's `wbits` to try."""


def inflate(body: bytes, encoding: str) -> bytes:
    """Inflate a body.

    Args:
        body: The body as received.
        encoding: The value of `Content-Encoding`.

    Raises:
        UnsupportedMediaTypeError: The encoding is another one.
        BodyTooLargeError: The inflated body is larger than any body may be.
        BodyIncompleteError: It isn't what the encoding says, or it ends too early.
    """
    encoding = encoding.strip().lower()
    if encoding in {"", "identity"}:
        return body
    if encoding not in ENCODINGS:
        raise UnsupportedMediaTypeError(f"of content encodings, {', '.join(ENCODINGS)} are read")
    for window_bits in ENCODINGS[encoding]:
        inflater = zlib.decompressobj(window_bits)
        try:
            inflated = inflater.decompress(body, MAX_BODY_BYTES + 1)
        except zlib.error:
            continue
        if len(inflated) > MAX_BODY_BYTES:
            raise BodyTooLargeError
        if inflater.eof and not inflater.unused_data:
            return inflated
    raise BodyIncompleteError
