"""Certificates that are replaced while connections are made: of a client, and as the watcher sees it."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import structlog
import trustme

from bridge.core.errors import ConfigurationError
from bridge.kafka.security import connection_options
from bridge.tls.certificate_files import CertificateFiles
from bridge.tls.certificate_watcher import CertificateWatcher, WatchedCertificates
from bridge.tls.reloading_context import ReloadingContext
from tests.support.certificates import AUTHORITY, CERTIFICATE, KEY, MountedSecret, issue
from tests.support.settings import settings_of
from tests.support.waiting import wait_until

INTERVAL = 0.01


@pytest.fixture
def secret(tmp_path: Path) -> MountedSecret:
    """A folder of certificates."""
    return MountedSecret(tmp_path / "secret")


def kafka_context(secret: MountedSecret) -> ReloadingContext:
    """Return the context of connections to Kafka with these files."""
    files = {"SSL_CAFILE": AUTHORITY, "SSL_CERTFILE": CERTIFICATE, "SSL_KEYFILE": KEY}
    settings = settings_of(
        KAFKA__SECURITY_PROTOCOL="SSL", **{f"KAFKA__{name}": str(secret.path(file)) for name, file in files.items()}
    )
    context: ReloadingContext = connection_options(settings.kafka)["ssl_context"]
    return context


@asynccontextmanager
async def broker(authority: trustme.CA, clients: trustme.CA) -> AsyncIterator[Callable[[ssl.SSLContext], Any]]:
    """Listen with a certificate, and yield a function that connects and returns the client's serial number."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    clients.configure_trust(tls)
    tls.verify_mode = ssl.CERT_REQUIRED

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(f"{writer.get_extra_info('peercert')['serialNumber']}\n".encode())
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=tls)
    port = server.sockets[0].getsockname()[1]

    async def connect(context: ssl.SSLContext) -> str:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
        try:
            return (await reader.readline()).decode()
        finally:
            writer.close()

    async with server:
        yield connect


async def test_new_connections_have_the_new_files(secret: MountedSecret) -> None:
    """The new certificate is sent, the new authority trusted, and the previous one no longer."""
    clients, first, second = trustme.CA(), trustme.CA(), trustme.CA()
    secret.write({**issue(clients), AUTHORITY: first.cert_pem.bytes()})
    context = kafka_context(secret)
    async with broker(first, clients) as connect_first, broker(second, clients) as connect_second:
        before = await connect_first(context)
        assert await connect_first(context) == before
        with pytest.raises(ssl.SSLCertVerificationError):
            await connect_second(context)
        secret.write({**issue(clients), AUTHORITY: second.cert_pem.bytes()})
        assert await connect_second(context) != before
        with pytest.raises(ssl.SSLCertVerificationError):
            await connect_first(context)


async def test_bad_new_files_leave_the_previous_ones(secret: MountedSecret) -> None:
    """Also if they are missing, or if the key is of another certificate."""
    authority = trustme.CA()
    good, other = issue(authority), issue(authority)
    secret.write(good)
    context = kafka_context(secret)
    async with broker(authority, authority) as connect:
        before = await connect(context)
        for bad in ({**good, AUTHORITY: b"-"}, {**good, KEY: other[KEY]}, {KEY: b""}):
            secret.write(bad)
            assert await connect(context) == before
        secret.write(other)
        assert await connect(context) != before


def test_bad_files_at_the_start_are_one_line(secret: MountedSecret) -> None:
    """The line names the settings."""
    secret.write({**issue(trustme.CA()), CERTIFICATE: b"-"})
    with pytest.raises(ConfigurationError, match=r"^SMS_BRIDGE_KAFKA__SSL_"):
        kafka_context(secret)


def test_files_that_change_while_they_are_read_are_read_again(secret: MountedSecret) -> None:
    """A start doesn't fail because a secret is replaced at that moment."""
    secret.write({CERTIFICATE: b"previous"})
    files, made = CertificateFiles(chains={"CERT": secret.path(CERTIFICATE)}), ssl.create_default_context()

    def make() -> ssl.SSLContext:
        if secret.path(CERTIFICATE).read_bytes() == b"previous":
            secret.write({CERTIFICATE: b"next"})
            raise ConfigurationError("the key is of another certificate")
        return made

    assert ReloadingContext(files, make).files is files


class Server:
    """What a watcher watches: it takes a certificate only if its file begins with dashes."""

    def __init__(self, secret: MountedSecret) -> None:
        self.files = CertificateFiles(chains={"CERT": secret.path(CERTIFICATE)}, keys=[secret.path(KEY)])
        self.expiries: list[float] = []
        self.loaded = 0
        self.refused = 0

    async def load(self) -> None:
        """Load the certificate."""
        try:
            self.files.read_expiry_times()
        except (OSError, ValueError) as error:
            self.refused += 1
            raise ConfigurationError(f"CERT: {error}") from error
        self.loaded += 1

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Watch it for this block."""
        watcher = CertificateWatcher(
            [WatchedCertificates(self.files, self.load)], lambda _, timestamp: self.expiries.append(timestamp)
        )
        task = asyncio.create_task(watcher.run(INTERVAL))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])
        assert task.cancelled()


async def test_watcher_reloads_and_reports_the_new_end(secret: MountedSecret) -> None:
    """What can't be used is logged once, and the previous end stays reported."""
    authority = trustme.CA()
    secret.write(issue(authority))
    server = Server(secret)

    async def is_watched() -> bool:
        return bool(server.expiries)

    async def is_refused() -> bool:
        return server.refused >= 5

    async def is_loaded() -> bool:
        return server.loaded == 1

    with structlog.testing.capture_logs() as lines:
        async with server.watched():
            await wait_until(is_watched, 20, lambda: "it isn't watched")
            secret.write({CERTIFICATE: b"bad", KEY: b""})
            await wait_until(is_refused, 20, lambda: "it isn't tried")
            assert len(server.expiries) == 1
            secret.write(issue(authority))
            await wait_until(is_loaded, 20, lambda: "it isn't loaded")
    assert [line["event"] for line in lines] == [
        "changed certificates can't be used; the previous ones stay",
        "certificates reloaded",
    ]
    assert lines[0]["error"].endswith("has no certificate")
    assert server.expiries[-1] == server.files.read_expiry_times()["CERT"]
