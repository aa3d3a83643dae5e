"""The HTTP server. Handlers get and return plain values, so that they don't depend on it. It has no routes."""

import asyncio
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol, Self

import structlog
from granian import _granian
from granian.constants import HTTPModes, Interfaces, SSLProtocols
from granian.http import HTTP1Settings
from granian.server.embed import Server

from bridge.core.errors import ConfigurationError

MAX_BODY_BYTES = 64 * 1024
MAX_DRAINED_BYTES = 1024 * 1024
"""How much of a too large body is read and dropped: a client that is still sending may not read the response."""
HEADERS_TIMEOUT_MS = 5_000
"""How long a client may take to send its headers."""
BODY_TIMEOUT_SECONDS = 5.0
"""How long a client may take to send its body."""
MAX_HEAD_BYTES = 32 * 1024
"""Maximum size of a request's line and headers together."""
MAX_CONNECTIONS = 2048
"""Maximum number of connections; further ones wait to be accepted."""
STOP_TIMEOUT_SECONDS = 10.0
"""How long requests may take to finish when the server stops."""
PLAIN_TEXT = {"content-type": "text/plain; charset=utf-8"}

log = structlog.get_logger(__name__)


class BodyTooLargeError(Exception):
    """The body is larger than `MAX_BODY_BYTES`."""


class BodyTimeoutError(Exception):
    """The body wasn't received in time."""


class BodyIncompleteError(Exception):
    """The connection ended before the body did, or its chunks are wrong (RFC 9112, section 8)."""


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


class Listener:
    """Listens on a port within its context, and passes requests to a handler.

    Args:
        handler: Responds to requests.
        host: The address to listen on.
        port: The port.
        setting: The name of the setting of the port, for errors.
        tls_cert: A certificate chain; with it, only TLS is accepted.
        tls_key: Its private key.
    """

    def __init__(
        self,
        handler: Handler,
        host: str,
        port: int,
        *,
        setting: str,
        tls_cert: Path | None = None,
        tls_key: Path | None = None,
    ) -> None:
        self._handler = handler
        self._address = (host, port)
        self._setting = setting
        self._server = Server(
            self._serve,
            address=host,
            port=port,
            interface=Interfaces.RSGI,
            http=HTTPModes.http1,
            http1_settings=HTTP1Settings(
                header_read_timeout=HEADERS_TIMEOUT_MS, keep_alive=True, max_buffer_size=MAX_HEAD_BYTES
            ),
            websockets=False,
            log_enabled=False,
            backlog=1024,
            backpressure=MAX_CONNECTIONS,
            ssl_protocol_min=SSLProtocols.tls12,  # not every provider's client supports 1.3
            ssl_cert=tls_cert,
            ssl_key=tls_key,
        )
        self._serving: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Start to listen.

        Raises:
            ConfigurationError: Listening on the address failed.
        """
        try:
            _check_free(*self._address)
        except OSError as error:
            raise self._make_error(error.strerror) from error
        self._serving = asyncio.create_task(self._server.serve())
        # The server binds the port at once. If that fails, the task is done after this short wait.
        await asyncio.wait([self._serving], timeout=0.05)
        if self._serving.done():
            # With RUST_BACKTRACE set, the text has a hundred more lines.
            raise self._make_error(str(self._serving.exception()).partition("\n")[0])
        return self

    async def __aexit__(self, *_: object) -> None:
        """Accept no new connections, and finish the requests in progress."""
        if self._serving is None:
            return
        self._server.stop()  # type: ignore[no-untyped-call]
        await asyncio.wait([self._serving], timeout=STOP_TIMEOUT_SECONDS)
        if not self._serving.done():
            self._serving.cancel()

    def _make_error(self, reason: str | None) -> ConfigurationError:
        return ConfigurationError(f"{self._setting}: can't listen on {self._address[0]}: {reason}")

    async def _serve(self, scope: Any, protocol: Any) -> None:
        request = Request(
            scope.method,
            scope.path,
            scope.query_string,
            scope.headers,
            scope.client.rpartition(":")[0].strip("[]"),
            lambda: _read_body(scope, protocol),
        )
        try:
            response = await self._handler(request)
        except Exception:
            log.exception("request failed", route=scope.path.split("/")[1:3])
            response = Response(500)
        if response.stream is not None:
            await _stream(protocol, response, response.stream)
            return
        headers = {**(PLAIN_TEXT if response.body else {}), **response.headers}
        protocol.response_bytes(response.status, list(headers.items()), response.body)


def _check_free(host: str, port: int) -> None:
    """Bind the port and release it. The server itself shares ports, and so would share one with a running bridge.

    Two processes that start at the same moment may both find the port free.

    Raises:
        OSError: The port is in use, or this machine doesn't have the address.
    """
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # closed connections that linger don't matter
        probe.bind((host, port))


async def _stream(protocol: Any, response: Response, pieces: AsyncGenerator[bytes, None]) -> None:
    transport = protocol.response_stream(response.status, list(response.headers.items()))
    try:
        async for piece in pieces:
            await transport.send_bytes(piece)
    except _granian.RSGIProtocolClosed:
        pass  # the client went away
    finally:
        await pieces.aclose()


async def _read_body(scope: Any, protocol: Any) -> bytes:
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
