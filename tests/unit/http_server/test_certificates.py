"""A listener's certificate is replaced while it serves."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trustme

from bridge.core.errors import ConfigurationError
from bridge.http_server.listener import Listener, ListenerTls
from bridge.http_server.messages import Request, Response
from tests.support.certificates import CERTIFICATE, KEY, MountedSecret, issue, trust
from tests.support.ports import find_free_ports

AUTHORITY = trustme.CA()
REQUEST = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"


class Server:
    """A listener whose answers can be held back."""

    def __init__(self, secret: MountedSecret) -> None:
        (self.port,) = find_free_ports(1)
        self.received, self.gate = asyncio.Event(), asyncio.Event()
        self.gate.set()
        tls = ListenerTls("CERT", secret.path(CERTIFICATE), secret.path(KEY))
        self.listener = Listener(self._handle, "127.0.0.1", self.port, setting="PORT", tls=tls)

    async def _handle(self, _: Request) -> Response:
        self.received.set()
        await self.gate.wait()
        return Response(200)

    @asynccontextmanager
    async def request(self) -> AsyncIterator[tuple[asyncio.StreamReader, str]]:
        """Send a request; yield the answer's reader and the serial number of the certificate."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, ssl=trust(AUTHORITY))
        writer.write(REQUEST)
        yield reader, writer.get_extra_info("peercert")["serialNumber"]
        writer.close()

    async def read_serial(self) -> str:
        """Return the serial number of the certificate that a request of now sees; it is answered."""
        async with self.request() as (reader, serial):
            assert (await reader.read()).startswith(b"HTTP/1.1 200")
            return serial


@pytest.fixture
def secret(tmp_path: Path) -> MountedSecret:
    """A folder of certificates."""
    made = MountedSecret(tmp_path / "secret")
    made.write(issue(AUTHORITY))
    return made


async def test_new_connections_see_the_new_certificate(secret: MountedSecret) -> None:
    """A request that was received before is answered."""
    server = Server(secret)
    async with server.listener:
        before = await server.read_serial()
        server.received.clear()
        server.gate.clear()
        async with server.request() as (reader, _):
            await server.received.wait()
            secret.write(issue(AUTHORITY))
            await server.listener.reload()
            assert await read_handshake(server) != before
            server.gate.set()
            assert (await reader.read()).startswith(b"HTTP/1.1 200")


async def read_handshake(server: Server) -> str:
    """Return the serial number of the certificate that a new connection sees."""
    _, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=trust(AUTHORITY))
    serial: str = writer.get_extra_info("peercert")["serialNumber"]
    writer.close()
    return serial


async def test_bad_new_files_leave_the_previous_certificate(secret: MountedSecret) -> None:
    """The error names the setting."""
    server, good = Server(secret), issue(AUTHORITY)
    async with server.listener:
        before = await server.read_serial()
        for bad in ({**good, CERTIFICATE: b"-"}, {**good, KEY: issue(AUTHORITY)[KEY]}, {KEY: b""}):
            secret.write(bad)
            with pytest.raises(ConfigurationError, match=r"^CERT: "):
                await server.listener.reload()
            assert await server.read_serial() == before


async def test_a_start_with_bad_files_names_the_setting(secret: MountedSecret) -> None:
    """The listener isn't made at all."""
    secret.write({CERTIFICATE: b"", KEY: b""})
    with pytest.raises(ConfigurationError, match=r"^CERT: "):
        Server(secret)


async def test_a_port_in_use_is_named(secret: MountedSecret) -> None:
    """Two listeners never share a port, also if both took it before one of them listened."""
    server = Server(secret)
    in_use = r"^PORT: can't listen on 127\.0\.0\.1: Address already in use"
    early = Listener(server._handle, "127.0.0.1", server.port, setting="PORT")  # noqa: SLF001 - any handler
    async with server.listener:
        with pytest.raises(ConfigurationError, match=in_use):
            await early.__aenter__()
        early.close()
        with pytest.raises(ConfigurationError, match=in_use):
            Listener(server._handle, "127.0.0.1", server.port, setting="PORT")  # noqa: SLF001
        assert await server.read_serial()


async def test_nobody_connects_before_it_listens(secret: MountedSecret) -> None:
    """A balancer's check would take a process for ready that doesn't serve yet."""
    server = Server(secret)
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", server.port)
    server.listener.close()
