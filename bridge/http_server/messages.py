"""What handlers get and return."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

from msgspec import Struct

MAX_BODY_BYTES = 256 * 1024
"""A callback may have a hundred reports."""


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


class ReceivedHeaders:
    """The headers of a request, decoded when they are asked for: most never are.

    Args:
        pairs: Names, in lower case, and values, in the order of the request.
    """

    __slots__ = ("_first", "_pairs")

    def __init__(self, pairs: Sequence[tuple[str, bytes]]) -> None:
        self._pairs = pairs
        self._first = dict(reversed(pairs))

    def __contains__(self, key: str) -> bool:
        return key in self._first

    def get(self, key: str, default: Any = None) -> Any:
        """Return the first value of a header."""
        value = self._first.get(key)
        return default if value is None else value.decode("utf-8", "surrogateescape")

    def get_all(self, key: str) -> list[str]:
        """Return all values of a header, in order."""
        return [value.decode("utf-8", "surrogateescape") for name, value in self._pairs if name == key]

    def has_several(self, key: str) -> bool:
        """Whether a header is there more than once."""
        return len(self._first) < len(self._pairs) and len(self.get_all(key)) > 1


class Request(Struct, frozen=True):
    """A request. Its body is received only if the handler calls `body`."""

    method: str
    path: str
    """As it was sent, so that an encoded slash isn't one."""
    query: str
    headers: Headers
    client: str
    """The address at the other end of the connection, without its port."""
    body: Callable[[], Awaitable[bytes]]
    """Returns the body; raises `BodyTooLargeError`, `BodyTimeoutError` or `BodyIncompleteError`."""


class Response(Struct, frozen=True):
    """A response."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = {}
    stream: AsyncGenerator[bytes, None] | None = None
    """Sent piece by piece, instead of a body. The next piece is asked for once the client has room for it. The handler
    ends the stream before the listener stops."""


Handler = Callable[[Request], Awaitable[Response]]
