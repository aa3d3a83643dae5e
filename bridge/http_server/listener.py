"""Listens on a port, and passes requests to a handler. Its certificate can change meanwhile."""

import asyncio
import errno
import socket
import ssl
from collections.abc import Callable, Collection
from email.utils import formatdate
from functools import partial
from pathlib import Path
from typing import NamedTuple, Self

import structlog

from bridge.core.errors import ConfigurationError
from bridge.http_server.addresses import bind, naming_setting
from bridge.http_server.connection import Connection
from bridge.http_server.connection_context import ConnectionContext
from bridge.http_server.connection_table import CloseReason, ConnectionLimits, ConnectionTable, name_peer
from bridge.http_server.messages import Handler

BACKLOG = 1024
"""Connections that the operating system keeps until they are accepted."""
MAX_ACCEPTS = 64
"""Connections that are accepted before others get their turn."""
ACCEPT_PAUSE = 0.2
"""Seconds without accepting, after the system could not."""
HANDSHAKE_TIMEOUT = 5.0
"""Seconds that a client may take for the handshake of TLS."""
SWEEP_INTERVAL = 0.5
"""Seconds between two looks at the deadlines of all connections."""
STOP_GRACE = 0.3
"""Seconds in which requests that are on their way are still taken when the server stops."""
ROOM_PAUSE, ROOM_TIMEOUT, MAX_WAITING = 0.01, 1.0, 128
"""Seconds between two looks for room for a connection, and for how long; how many may wait for it."""
STOP_TIMEOUT_SECONDS = 10.0
"""How long requests may take to finish when the server stops."""
DEFAULT_LIMITS = ConnectionLimits()
EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})

log = structlog.get_logger(__name__)


class ListenerTls(NamedTuple):
    """How a listener proves who it is."""

    setting: str
    """The name of the setting of the certificate, for errors."""
    certificate: Path
    """A PEM file of the certificate and its issuers."""
    key: Path
    """A PEM file of the private key."""


class Listener:
    """Listens on a port within its context, and passes requests to a handler. The address is taken before.

    Args:
        handler: Responds to requests.
        host: The address to listen on.
        port: The port.
        setting: The name of the setting of the port, for errors.
        tls: With it, only TLS is accepted.
        limits: How many connections there are, and for how long.
        report: Is told why a connection was closed early.

    Raises:
        ConfigurationError: Listening on the address failed, or the certificate can't be used.
    """

    def __init__(
        self,
        handler: Handler,
        host: str,
        port: int,
        *,
        setting: str,
        tls: ListenerTls | None = None,
        limits: ConnectionLimits = DEFAULT_LIMITS,
        report: Callable[[CloseReason], None] = lambda _: None,
    ) -> None:
        self._setting, self._tls, self._report = setting, tls, report
        self._table: ConnectionTable[Connection] = ConnectionTable(limits)
        self._context = ConnectionContext(handler, self._table, limits, report)
        self._opening: set[asyncio.Task[None]] = set()
        self._exhausted = False
        self._waiting: dict[socket.socket, asyncio.TimerHandle] = {}
        self._ssl = self._load_certificate()
        self._naming = partial(naming_setting, setting, host)
        with self._naming():
            self._listening = bind(host, port)

    def count_connections(self) -> int:
        """Count the connections that are open."""
        return len(self._table)

    async def __aenter__(self) -> Self:
        """Start to listen.

        Raises:
            ConfigurationError: Another process has begun to listen on the address meanwhile.
        """
        with self._naming():
            self._listening.listen(BACKLOG)
        self._sweeping = asyncio.create_task(self._sweep())
        self._start_accepting()
        return self

    def close(self) -> None:
        """Give the address back."""
        self._listening.close()

    async def __aexit__(self, *_: object) -> None:
        """Accept no new connections, and finish the requests in progress."""
        self._accept()
        asyncio.get_running_loop().remove_reader(self._listening)
        self._listening.close()
        self._retire_connections()
        await self._wait_for_connections(STOP_GRACE)
        for accepted, timer in self._waiting.items():
            timer.cancel()
            accepted.close()
        for task in self._opening:
            task.cancel()
        await _wait_for(self._opening, STOP_TIMEOUT_SECONDS)
        for connection in self._table.list():
            connection.finish()
        await self._wait_for_connections(STOP_TIMEOUT_SECONDS)
        for connection in self._table.list():
            connection.abort(CloseReason.SLOW_READER)
        await _wait_for(self._context.tasks, STOP_TIMEOUT_SECONDS)
        self._sweeping.cancel()
        await asyncio.wait([self._sweeping])

    async def _wait_for_connections(self, timeout: float) -> None:
        await _wait_for([connection.lost for connection in self._table.list()], timeout)

    async def reload(self) -> None:
        """Serve new connections with the certificate that the files have now.

        Connections are closed with their next response, so that clients open new ones.

        Raises:
            ConfigurationError: The certificate can't be used. Nothing changes.
        """
        self._ssl = self._load_certificate()
        self._retire_connections()

    def _load_certificate(self) -> ssl.SSLContext | None:
        if self._tls is None:
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2  # not every provider's client supports 1.3
        try:
            # Without a function for it, OpenSSL would ask on the terminal for a passphrase.
            context.load_cert_chain(self._tls.certificate, self._tls.key, password=lambda: "")
        except (OSError, ValueError) as error:
            message = f"{self._tls.setting}: the certificate or its key can't be used ({error})"
            raise ConfigurationError(message) from error
        return context

    def _retire_connections(self) -> None:
        for connection in self._table.list():
            connection.retire()

    def _start_accepting(self) -> None:
        if self._listening.fileno() >= 0:
            asyncio.get_running_loop().add_reader(self._listening, self._accept)

    def _accept(self) -> None:
        for _ in range(MAX_ACCEPTS):
            try:
                accepted, address = self._listening.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError as error:
                self._pause_accepting(error)
                return
            self._exhausted = False
            peer = address[0] if self._context.limits.is_proxy(address[0]) else name_peer(address[0])
            self._admit(accepted, address[0], peer, asyncio.get_running_loop().time() + ROOM_TIMEOUT)

    def _admit(self, accepted: socket.socket, address: str, peer: str, give_up_at: float) -> None:
        """Take a connection in, or let it wait: while many requests are answered, nobody may make room."""
        loop = asyncio.get_running_loop()
        if not self._table.make_room(peer):
            if loop.time() < give_up_at and len(self._waiting) < MAX_WAITING:
                again = (accepted, address, peer, give_up_at)
                self._waiting[accepted] = loop.call_later(ROOM_PAUSE, self._admit_again, *again)
            else:
                accepted.close()
                self._report(CloseReason.REFUSED)
            return
        accepted.setblocking(False)  # noqa: FBT003 - it has no name
        connection = Connection(self._context, address, peer)
        self._table.add(connection)
        connection.opening = asyncio.create_task(self._open(connection, accepted))
        self._opening.add(connection.opening)
        connection.opening.add_done_callback(partial(self._end_opening, connection, accepted))

    def _admit_again(self, accepted: socket.socket, address: str, peer: str, give_up_at: float) -> None:
        del self._waiting[accepted]
        self._admit(accepted, address, peer, give_up_at)

    async def _open(self, connection: Connection, accepted: socket.socket) -> None:
        timeout = HANDSHAKE_TIMEOUT if self._ssl else None
        await asyncio.get_running_loop().connect_accepted_socket(
            lambda: connection, accepted, ssl=self._ssl, ssl_handshake_timeout=timeout
        )

    def _end_opening(self, connection: Connection, accepted: socket.socket, task: asyncio.Task[None]) -> None:
        """Clean up after a client that went away, doesn't speak TLS, or had to make room, perhaps before it began."""
        self._opening.discard(task)
        error = None if task.cancelled() else task.exception()
        if task.cancelled() or error:
            self._table.remove(connection)
            accepted.close()
        if error and not isinstance(error, OSError):
            log.error("a connection can't be opened", setting=self._setting, error=str(error))

    def _pause_accepting(self, error: OSError) -> None:
        """Let the system recover, instead of trying again at once for as long as it can't accept."""
        if error.errno in EXHAUSTED:
            self._report(CloseReason.NO_DESCRIPTORS)
            self._table.free_descriptor()
        if not self._exhausted:
            self._exhausted = True
            log.error("can't accept connections", setting=self._setting, error=error.strerror)
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._listening)
        loop.call_later(ACCEPT_PAUSE, self._start_accepting)

    async def _sweep(self) -> None:
        """End what waits for clients for too long."""
        loop = asyncio.get_running_loop()
        while True:
            now = loop.time()
            self._context.date = formatdate(usegmt=True)
            for connection in self._table.list():
                if now >= connection.deadline or now >= connection.write_deadline:
                    connection.expire()
            await asyncio.sleep(SWEEP_INTERVAL)


async def _wait_for(ends: Collection[asyncio.Future[None]], timeout: float) -> None:
    if ends:
        await asyncio.wait(ends, timeout=timeout)
