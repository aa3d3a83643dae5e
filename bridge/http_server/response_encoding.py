"""Encodes responses (RFC 9112): their heads, and the pieces of streams. Pure."""

from http import HTTPStatus

from bridge.http_server.messages import Response

BODILESS = frozenset({204, 304})
"""Statuses without a body or its length (RFC 9110, section 8.6)."""

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
CHUNKED = "transfer-encoding: chunked\r\n"
_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n" for status in HTTPStatus}
_DEFAULT_TYPE = "content-type: text/plain; charset=utf-8\r\n"


def encode_head(response: Response, date: str, *, version: str, keep_alive: bool) -> bytes:
    """Encode a response's status line and headers.

    Args:
        response: The response.
        date: The time, as RFC 9110, section 5.6.7, wants it.
        version: The request's HTTP version: 1.0 has no chunks, and closes unless told otherwise.
        keep_alive: Whether the connection can be used again.
    """
    lines = [_LINES.get(response.status) or f"HTTP/1.1 {response.status} \r\n", f"date: {date}\r\n"]
    lines += [f"{name}: {value}\r\n" for name, value in response.headers.items()]
    if response.stream is not None:
        lines.append(CHUNKED if version != "1.0" else "")
    elif response.status not in BODILESS:
        if response.body and "content-type" not in response.headers:
            lines.append(_DEFAULT_TYPE)
        lines.append(f"content-length: {len(response.body)}\r\n")
    if not keep_alive:
        lines.append("connection: close\r\n")
    elif version == "1.0":
        lines.append("connection: keep-alive\r\n")
    lines.append("\r\n")
    return "".join(lines).encode("latin-1")


def encode_piece(piece: bytes, *, chunked: bool) -> bytes:
    """Encode a piece of a stream; an empty one ends it (RFC 9112, section 7.1)."""
    return b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece


def encode_rejection(status: int, date: str) -> bytes:
    """Encode a response to what isn't a request."""
    response = Response(status, HTTPStatus(status).phrase.lower().encode())
    return encode_head(response, date, version="1.1", keep_alive=False) + response.body
