"""Parses a file with a callback, as `check --callback` is given it. Pure.

It holds a body alone, or an HTTP request as a capture shows it: a request line, headers, a blank line and the body.
"""

import re

from bridge.providers.dialect import Callback
from bridge.receiver.compression import inflate

_REQUEST_LINE = re.compile(rb"([A-Z]{3,7}) (\S+) HTTP/[0-9](?:\.[0-9])?[ \t]*")
_BLANK_LINE = re.compile(rb"\r?\n\r?\n")


def parse_capture(content: bytes, methods: tuple[str, ...]) -> Callback:
    """Parse a file with a callback.

    A body alone was posted. If the account accepts nothing but GET, it is a query.

    Args:
        content: The file's content.
        methods: The methods that the account accepts.

    Raises:
        UnsupportedMediaTypeError: The body is compressed in a way that isn't read.
        BodyIncompleteError: It can't be inflated.
        BodyTooLargeError: It is too large.
    """
    request_line = _REQUEST_LINE.fullmatch(content.partition(b"\n")[0].rstrip(b"\r"))
    if request_line is None:
        body = _strip_end(content)
        if methods == ("GET",):
            return Callback("GET", body.decode("utf-8", "surrogateescape").removeprefix("?"), "", b"")
        return Callback("POST" if "POST" in methods else methods[0], "", "", body)
    head, *rest = _BLANK_LINE.split(content, maxsplit=1)
    headers = dict(map(_parse_header, reversed(head.splitlines()[1:])))
    target = request_line[2].decode("utf-8", "surrogateescape")
    # Proxies show the whole URL.
    path, _, query = re.sub("^https?://[^/?]*", "", target).partition("?")
    method, body = request_line[1].decode(), rest[0] if rest else b""
    length = headers.get("content-length", "")
    body = body[: int(length)] if length.isdecimal() and len(body) >= int(length) else _strip_end(body)
    body = b"" if method == "GET" else inflate(body, headers.get("content-encoding", ""))
    return Callback(method, query, headers.get("content-type", ""), body, headers, path)


def _parse_header(line: bytes) -> tuple[str, str]:
    name, _, value = line.decode("latin-1").partition(":")
    return name.strip().lower(), value.strip()


def _strip_end(body: bytes) -> bytes:
    """Remove the line break that editors write at a file's end."""
    return body.removesuffix(b"\n").removesuffix(b"\r")
