"""What handlers get and return, and how bodies are read and sent."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from typing import Any, NamedTuple, Protocol

from granian import _granian

MAX_BODY_BYTES = 256 * 1024
"""A callback may have a hundred reports."""
MAX_DRAINED_BYTES = 1024 * 1024
"""How much of a too large body is read and dropped: a client that is still sending may not read the response."""
BODY_TIMEOUT_SECONDS = 5.0
"""How long a client may take to send its body."""


class BodyTooLargeError(Exception):
    """The body is larger than `MAX_BODY_BYTES`."""

    def __str__(self) -> str:
        return "too large"


class BodyTimeoutError(Exception):
    """The body wasn't received in time."""

    def __str__(self) -> str:
        return "too slow"


class BodyIncompleteError(Exception):
    """The connection ended before the body did, or its chunks are wrong (RFC 9112, section 8)."""

    def __str__(self) -> str:
        return "incomplete"


class Headers(Protocol):
    """Request headers; names are lower-case."""

    def get(self, key: str, default: Any = None) -> Any:
        """Return the first value of a header."""
        ...

    def get_all(self, key: str) -> list[str]:
        """Return all values of a header, in order."""
        ...


class Request(NamedTuple):
    """A request. Its body is read only if the handler calls `body`."""

    method: str
    path: str
    query: str
    headers: Headers
    client: str
    """The address at the other end of the connection, without its port."""
    body: Callable[[], Awaitable[bytes]]
    """Reads the body; raises `BodyTooLargeError`, `BodyTimeoutError` or `BodyIncompleteError`."""


class Response(NamedTuple):
    """A response."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = {}
    stream: AsyncGenerator[bytes, None] | None = None
    """Sent piece by piece, instead of a body. A client may read slowly, so the handler bounds what is not yet sent, and
    ends the stream before the listener stops."""


Handler = Callable[[Request], Awaitable[Response]]


async def stream_pieces(protocol: Any, response: Response, pieces: AsyncGenerator[bytes, None]) -> None:
    """Send a response piece by piece, until its end or the client's."""
    transport = protocol.response_stream(response.status, list(response.headers.items()))
    try:
        async for piece in pieces:
            await transport.send_bytes(piece)
    except _granian.RSGIProtocolClosed:
        pass  # the client went away
    finally:
        await pieces.aclose()


async def read_body(scope: Any, protocol: Any) -> bytes:
    """Read a request's body, limited in time and size.

    Raises:
        BodyTooLargeError: It is larger than `MAX_BODY_BYTES`.
        BodyTimeoutError: It wasn't received in time.
        BodyIncompleteError: It wasn't received whole.
    """
    length = scope.headers.get("content-length")
    try:
        async with asyncio.timeout(BODY_TIMEOUT_SECONDS):
            if length is not None and length.isdigit() and int(length) <= MAX_BODY_BYTES:
                small_body: bytes = await protocol()
                return small_body
            return await _read_chunks(protocol)
    except TimeoutError:
        raise BodyTimeoutError from None
    except _granian.RSGIProtocolClosed:
        raise BodyIncompleteError from None


async def _read_chunks(protocol: Any) -> bytes:
    body, received, empty = bytearray(), 0, 0
    async for chunk in protocol:
        received += len(chunk)
        empty += not chunk
        if received <= MAX_BODY_BYTES:
            body += chunk
        elif received > MAX_DRAINED_BYTES:
            break
    if received > MAX_BODY_BYTES:
        raise BodyTooLargeError
    # The server gives an empty chunk for the end, and another one before it for an error, which it doesn't raise.
    if empty != 1:
        raise BodyIncompleteError
    return bytes(body)
