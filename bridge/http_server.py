"""The HTTP server at the edge: plain values for handlers that know no server. No routes here."""

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
"""Bytes of too large a body that are read and dropped: who still sends when it is answered may not hear the answer."""
HEADERS_TIMEOUT_MS = 5_000
"""Milliseconds that a client has for its headers."""
BODY_TIMEOUT = 5.0
"""Seconds that a client has for its body."""
MAX_HEAD_BYTES = 32 * 1024
"""Bytes of a request's line and headers together."""
MAX_CONNECTIONS = 2048
"""Connections at a time; more wait to be accepted."""
STOP_TIMEOUT = 10.0
PLAIN = {"content-type": "text/plain; charset=utf-8"}

log = structlog.get_logger(__name__)


class BodyTooLargeError(Exception):
    """The body is larger than `MAX_BODY_BYTES`."""


class BodyTimeoutError(Exception):
    """The body didn't come in time."""


class Headers(Protocol):
    """Request headers; names are lower-case."""

    def get(self, key: str, default: Any = None) -> Any:
        """The first value of a header."""
        ...

    def get_all(self, key: str) -> list[str]:
        """Every line of a header, in order."""
        ...


class Request(NamedTuple):
    """One request; its body is read only by who wants it."""

    method: str
    path: str
    query: str
    headers: Headers
    client: str
    """The address of the peer, without its port."""
    body: Callable[[], Awaitable[bytes]]
    """Reads the body; raises `BodyTooLargeError` or `BodyTimeoutError`."""


class Response(NamedTuple):
    """One answer."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = {}
    stream: AsyncGenerator[bytes, None] | None = None
    """Sent piece by piece, instead of a body. Nobody says how fast it is read: whoever makes it bounds it, and ends it
    before the listener stops."""


Handler = Callable[[Request], Awaitable[Response]]


class Listener:
    """One port and its handler; listens within its context.

    Args:
        handler: Answers requests.
        host: The address to listen on.
        port: The port.
        setting: The name of the setting that says so, for errors.
        tls_cert: A certificate chain; with it, only TLS is spoken.
        tls_key: Its key.
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
        self._at = (host, port)
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
            ssl_protocol_min=SSLProtocols.tls12,  # not every provider's client speaks 1.3
            ssl_cert=tls_cert,
            ssl_key=tls_key,
        )
        self._serving: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Begin to listen.

        Raises:
            ConfigurationError: The address can't be listened on.
        """
        try:
            _check_free(*self._at)
        except OSError as taken:
            raise ConfigurationError(f"{self._setting} can't be listened on: {taken.strerror}") from taken
        self._serving = asyncio.create_task(self._server.serve())
        # The first step of serving binds the port; it either failed by the next one, or listens.
        await asyncio.wait([self._serving], timeout=0.05)
        if self._serving.done():
            error = self._serving.exception()
            # With RUST_BACKTRACE set, a hundred lines follow the first.
            raise ConfigurationError(f"{self._setting} can't be listened on: {str(error).partition(chr(10))[0]}")
        return self

    async def __aexit__(self, *_: object) -> None:
        """Take no new connections; requests that are being answered get their answers."""
        if self._serving is None:
            return
        self._server.stop()  # type: ignore[no-untyped-call]
        await asyncio.wait([self._serving], timeout=STOP_TIMEOUT)
        if not self._serving.done():
            self._serving.cancel()

    async def _serve(self, scope: Any, protocol: Any) -> None:
        request = Request(
            scope.method,
            scope.path,
            scope.query_string,
            scope.headers,
            scope.client.rpartition(":")[0].strip("[]"),
            lambda: _body(scope, protocol),
        )
        try:
            response = await self._handler(request)
        except Exception:
            log.exception("a request failed", route=scope.path.split("/")[1:3])
            response = Response(500)
        if response.stream is not None:
            await _stream(protocol, response, response.stream)
            return
        headers = {**(PLAIN if response.body else {}), **response.headers}
        protocol.response_bytes(response.status, list(headers.items()), response.body)


def _check_free(host: str, port: int) -> None:
    """Bind it, and let go: the server shares ports, so it would share one with a running bridge without a word.

    Two that start in the same moment may both find it free.

    Raises:
        OSError: Somebody listens there, or there is no such address.
    """
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # what is only being closed is no hindrance
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


async def _body(scope: Any, protocol: Any) -> bytes:
    length = scope.headers.get("content-length")
    try:
        async with asyncio.timeout(BODY_TIMEOUT):
            if length is not None and length.isdigit() and int(length) <= MAX_BODY_BYTES:
                whole: bytes = await protocol()
                return whole
            body, read = bytearray(), 0
            async for chunk in protocol:
                read += len(chunk)
                if read <= MAX_BODY_BYTES:
                    body += chunk
                elif read > MAX_DRAINED_BYTES:
                    break
            if read > MAX_BODY_BYTES:
                raise BodyTooLargeError
            return bytes(body)
    except TimeoutError:
        raise BodyTimeoutError from None
