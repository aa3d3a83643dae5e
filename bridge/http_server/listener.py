"""Listens on a port, and passes requests to a handler. Its certificate can change meanwhile."""

import asyncio
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

import structlog
from granian.constants import HTTPModes, Interfaces, SSLProtocols
from granian.http import HTTP1Settings
from granian.net import SocketHolder  # type: ignore[attr-defined]  # it means to export it
from granian.server.embed import Server

from bridge.core.errors import ConfigurationError
from bridge.http_server.messages import Handler, Request, Response, read_body, stream_pieces

HEADERS_TIMEOUT_MS = 5_000
"""How long a client may take to send its headers."""
MAX_HEAD_BYTES = 32 * 1024
"""Maximum size of a request's line and headers together."""
MAX_CONNECTIONS = 2048
"""Maximum number of connections; further ones wait to be accepted."""
IS_UNIX = False
BACKLOG = 1024
"""Connections that the operating system keeps until they are accepted."""
STOP_TIMEOUT_SECONDS = 10.0
"""How long requests may take to finish when the server stops."""
PLAIN_TEXT = {"content-type": "text/plain; charset=utf-8"}


log = structlog.get_logger(__name__)


class ListenerTls(NamedTuple):
    """How a listener proves who it is."""

    setting: str
    """The name of the setting of the certificate, for errors."""
    certificate: Path
    """A PEM file of the certificate and its issuers."""
    key: Path
    """A PEM file of the private key."""


class _SharingServer(Server):
    """A server that accepts from a socket of ours, so that its successor can accept from the same one."""

    def __init__(self, listening: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._listening = listening

    def _init_shared_socket(self) -> None:
        self._ssp: Any = None
        self._shd: Any = SocketHolder(self._listening.dup().detach(), IS_UNIX, BACKLOG)  # type: ignore[call-arg]


class Listener:
    """Listens on a port within its context, and passes requests to a handler.

    Args:
        handler: Responds to requests.
        host: The address to listen on.
        port: The port.
        setting: The name of the setting of the port, for errors.
        tls: With it, only TLS is accepted.
    """

    def __init__(
        self,
        handler: Handler,
        host: str,
        port: int,
        *,
        setting: str,
        tls: ListenerTls | None = None,
    ) -> None:
        self._handler = handler
        self._address = (host, port)
        self._setting = setting
        self._tls = tls
        self._running: list[tuple[Server, asyncio.Task[None]]] = []

    async def __aenter__(self) -> Self:
        """Start to listen.

        Raises:
            ConfigurationError: Listening on the address failed, or the certificate can't be used.
        """
        try:
            self._listening = _listen(*self._address)
        except OSError as error:
            raise self._make_error(error.strerror) from error
        try:
            await self._start_server()
        except BaseException:
            self._listening.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        """Accept no new connections, and finish the requests in progress."""
        await self._stop(tuple(self._running))
        self._listening.close()

    async def reload(self) -> None:
        """Serve new connections with the certificate that the files have now.

        Requests that were received before are finished. Other connections are closed, so that clients open new ones.

        Raises:
            ConfigurationError: The certificate can't be used. Nothing changes.
        """
        previous = tuple(self._running)
        await self._start_server()
        await self._stop(previous)

    async def _start_server(self) -> None:
        try:
            server = self._make_server()
        except OSError as error:
            setting = self._tls.setting if self._tls else self._setting
            raise ConfigurationError(f"{setting}: the certificate or its key can't be used ({error})") from error
        serving = asyncio.create_task(server.serve())
        self._running.append((server, serving))
        # The server starts at once. If that fails, the task is done after this short wait.
        await asyncio.wait([serving], timeout=0.05)
        if serving.done():
            self._running.remove((server, serving))
            # With RUST_BACKTRACE set, the text has a hundred more lines.
            raise self._make_error(str(serving.exception()).partition("\n")[0])

    async def _stop(self, running: Sequence[tuple[Server, asyncio.Task[None]]]) -> None:
        for server, _ in running:
            server.stop()  # type: ignore[no-untyped-call]
        if running:
            await asyncio.wait([serving for _, serving in running], timeout=STOP_TIMEOUT_SECONDS)
        for _, serving in running:
            serving.cancel()
        self._running = [one for one in self._running if one not in running]

    def _make_server(self) -> Server:
        return _SharingServer(
            self._listening,
            self._serve,
            interface=Interfaces.RSGI,
            http=HTTPModes.http1,
            http1_settings=HTTP1Settings(
                header_read_timeout=HEADERS_TIMEOUT_MS, keep_alive=True, max_buffer_size=MAX_HEAD_BYTES
            ),
            websockets=False,
            log_enabled=False,
            backpressure=MAX_CONNECTIONS,
            ssl_protocol_min=SSLProtocols.tls12,  # not every provider's client supports 1.3
            ssl_cert=self._tls and self._tls.certificate,
            ssl_key=self._tls and self._tls.key,
        )

    def _make_error(self, reason: str | None) -> ConfigurationError:
        return ConfigurationError(f"{self._setting}: can't listen on {self._address[0]}: {reason}")

    async def _serve(self, scope: Any, protocol: Any) -> None:
        request = Request(
            scope.method,
            scope.path,
            scope.query_string,
            scope.headers,
            scope.client.rpartition(":")[0].strip("[]"),
            lambda: read_body(scope, protocol),
        )
        try:
            response = await self._handler(request)
        except Exception:
            log.exception("request failed", route=scope.path.split("/")[1:3])
            response = Response(500)
        if response.stream is not None:
            await stream_pieces(protocol, response, response.stream)
            return
        headers = {**(PLAIN_TEXT if response.body else {}), **response.headers}
        protocol.response_bytes(response.status, list(headers.items()), response.body)


def _listen(host: str, port: int) -> socket.socket:
    """Listen, on IPv4 as well if the address is `::`.

    Raises:
        OSError: The port is in use, or this machine doesn't have the address.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    dual = family is socket.AF_INET6 and socket.has_dualstack_ipv6()
    listening = socket.create_server((host, port), family=family, backlog=BACKLOG, dualstack_ipv6=dual)
    listening.settimeout(0)
    return listening
