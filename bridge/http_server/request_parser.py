"""Parses what a client sends into requests. It bounds their number and size; time is the connection's matter."""

from collections import deque
from collections.abc import Callable
from enum import Enum
from typing import Any

import httptools
from msgspec import Struct

from bridge.http_server.messages import BodyIncompleteError, ReceivedHeaders, Request
from bridge.http_server.request_body import RequestBody

MAX_HEAD_BYTES = 32 * 1024
"""Maximum size of a request's line and headers together."""
MAX_HEADERS = 128
MAX_FRAMED_BYTES = 4 * 1024 * 1024
"""Maximum size of a body with its framing: in chunks of one byte it is six times as large as without."""
MAX_PIPELINED = 32
"""Requests of a connection that may wait for those before them."""

FRAMING = frozenset({"content-length", "transfer-encoding"})
"""Headers that say where a body ends."""
VERSIONS = frozenset({"1.0", "1.1"})


class ParserState(Enum):
    """What a client is expected to send next."""

    BETWEEN = "between"
    """A request, or nothing."""
    HEAD = "head"
    """More of a request's line and headers."""
    BODY = "body"
    """More of a body."""


class ReceivedRequest(Struct, frozen=True):
    """A request whose head was received."""

    request: Request
    body: RequestBody
    version: str
    keep_alive: bool
    """Whether the client may send another request after it."""


class MalformedRequestError(Exception):
    """What a client sent isn't HTTP, or exceeds a limit. Nothing after it can be understood."""

    def __init__(self, status: int) -> None:
        super().__init__()
        self.status = status


class RequestParser:
    """Collects the requests of a connection.

    Args:
        client: The address at the other end.
        ask_for_body: Asks the client for a body that it sends only then.
    """

    def __init__(self, client: str, ask_for_body: Callable[[], None]) -> None:
        self._client = client
        self._ask_for_body: Callable[[], None] | None = ask_for_body
        self._parser: Any = httptools.HttpRequestParser(self)
        self.requests: deque[ReceivedRequest] = deque()
        """Requests that nobody has taken yet."""
        self.state = ParserState.BETWEEN
        self.begun = 0
        """How many requests were begun."""
        self._body = RequestBody()
        self._body.finish()
        self._status = 400
        self._completed, self._in_repeated_head = 0, False
        self.ended = False
        """Whether nothing more will be parsed."""
        self._begin()

    def feed(self, data: bytes) -> None:
        """Parse a part of a request, or several requests. After an error or the last request, nothing is parsed.

        Raises:
            MalformedRequestError: It can't be parsed. A body that it was part of fails.
        """
        received = len(data)
        if self.ended:
            return
        completed = self._completed
        try:
            while data:
                data = self._parse(data)
            if self._completed == completed:
                self._check_size(received)
        except httptools.HttpParserError:
            self.end()
            raise MalformedRequestError(self._status) from None

    def _parse(self, data: bytes) -> bytes:
        """Parse; return what follows a request that asks for another protocol."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._continue_without_upgrade()
            return data[upgrade.args[0] :]
        return b""

    def _continue_without_upgrade(self) -> None:
        """Receive the body of a request that asks for another protocol, which is ignored (RFC 9110, section 7.8).

        The parser takes such a request to end with its head, although clients that offer HTTP/2 send a body. So
        another parser gets a head that has only its framing.
        """
        framing = [pair for pair in self._pairs if pair[0] in FRAMING]
        self._parser, self._in_repeated_head = httptools.HttpRequestParser(self), True
        lines = [b"POST / HTTP/1.1", *(b"%b: %b" % (name.encode(), value) for name, value in framing), b"", b""]
        self._parser.feed_data(b"\r\n".join(lines))

    def end(self) -> None:
        """Nothing more will be parsed. Lets go of what refers to this object: cycles are collected rarely."""
        self.ended = True
        self._parser = self._ask_for_body = None
        self.fail_body(BodyIncompleteError())

    def fail_body(self, error: Exception) -> None:
        """Give up the body that is being received, if there is one."""
        self._body.fail(error)

    @property
    def held_bytes(self) -> int:
        """How much of an incomplete body is held."""
        return 0 if self._body.complete else self._body.held_bytes

    def _check_size(self, received: int) -> None:
        """Bound what was received of a request, as far as the parser keeps it to itself."""
        self._size += received
        if self._size > (MAX_FRAMED_BYTES if self.state is ParserState.BODY else MAX_HEAD_BYTES):
            self._status = 413 if self.state is ParserState.BODY else 431
            raise httptools.HttpParserError

    def _begin(self) -> None:
        self._url, self._size, self._head_size = b"", 0, 0
        self._pairs: list[tuple[str, bytes]] = []

    # httptools calls these.

    def on_message_begin(self) -> None:
        """Begin a request."""
        if self._in_repeated_head:
            return
        if len(self.requests) >= MAX_PIPELINED:
            raise ValueError
        self._begin()
        self.state = ParserState.HEAD
        self.begun += 1

    def on_url(self, url: bytes) -> None:
        """Take a part of the request's target."""
        if self._in_repeated_head:
            return
        self._url += url
        self._add_to_head(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; those after a body have no meaning here."""
        if self.state is ParserState.HEAD:
            self._pairs.append((name.decode().lower(), value))  # names are ASCII (RFC 9110, 5.1)
            self._add_to_head(len(name) + len(value))

    def _add_to_head(self, size: int) -> None:
        self._head_size += size
        if self._head_size > MAX_HEAD_BYTES or len(self._pairs) > MAX_HEADERS:
            self._status = 431
            raise ValueError

    def on_headers_complete(self) -> None:
        """Begin the body, perhaps of no bytes."""
        if self._in_repeated_head:
            self._in_repeated_head = False
            return
        version = self._parser.get_http_version()
        headers = ReceivedHeaders(self._pairs)
        self._check_head(version, headers)
        asks = "expect" in headers and headers.get("expect").lower() == "100-continue" and version != "1.0"
        body = self._body = RequestBody(self._ask_for_body if asks else None)
        path, _, query = _strip_origin(self._url.decode()).partition("?")
        method = self._parser.get_method().decode()
        request = Request(method, path, query, headers, self._client, body.read)
        # RFC 9112, section 6.1: a sender of 1.0 doesn't know chunks, so nobody knows where the next request begins.
        keep_alive = self._parser.should_keep_alive() and not (version == "1.0" and "transfer-encoding" in headers)
        self.requests.append(ReceivedRequest(request, body, version, keep_alive))
        self.state, self._size = ParserState.BODY, 0

    def _check_head(self, version: str, headers: ReceivedHeaders) -> None:
        """Refuse what httptools accepts, although RFC 9112, sections 3.2 and 6.1, and RFC 9110, section 2.5 don't."""
        if version not in VERSIONS:
            self._status = 505
        elif headers.has_several("host") or ("host" not in headers and version == "1.1"):
            self._status = 400
        elif (
            self._parser.get_method() == b"CONNECT"
            or headers.get("transfer-encoding", "chunked").strip().lower() != "chunked"
        ):
            self._status = 501
        else:
            return
        raise ValueError

    def on_body(self, chunk: bytes) -> None:
        """Take a part of the body."""
        self._body.feed(chunk)

    def on_message_complete(self) -> None:
        """End the request, unless its body was only taken to be another protocol's data."""
        if self._parser.should_upgrade():
            return
        self._body.finish()
        self.state, self._size = ParserState.BETWEEN, 0
        self._completed += 1


def _strip_origin(target: str) -> str:
    """Return a target without scheme and host, which clients may send as well (RFC 9112, section 3.2.2)."""
    scheme, found, rest = target.partition("://")
    return "/" + rest.partition("/")[2] if found and scheme.lower() in {"http", "https"} else target
