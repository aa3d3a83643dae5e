"""What is told about a connection that failed."""

import socket
import ssl
from pathlib import Path

import httpx
import pytest
import trustme
from httpx_aiohttp import AiohttpTransport

from bridge.http_server.listener import Listener, ListenerTls
from bridge.http_server.messages import Request, Response
from bridge.tls.connection_errors import describe_connection_error
from tests.support.certificates import CERTIFICATE, KEY, MountedSecret, issue
from tests.support.ports import find_free_ports


async def fail(url: str) -> str:
    """Send a request, and describe why it failed."""
    async with httpx.AsyncClient(transport=AiohttpTransport(), timeout=10) as client:
        with pytest.raises(httpx.HTTPError) as raised:
            await client.get(url)
    return describe_connection_error(raised.value)


async def test_an_untrusted_certificate_is_named(tmp_path: Path) -> None:
    """With the reason, as OpenSSL has it."""
    secret = MountedSecret(tmp_path / "secret")
    secret.write(issue(trustme.CA()))
    (port,) = find_free_ports(1)

    async def handle(_: Request) -> Response:
        return Response(200)

    tls = ListenerTls("CERT", secret.path(CERTIFICATE), secret.path(KEY))
    async with Listener(handle, "127.0.0.1", port, setting="PORT", tls=tls):
        assert (await fail(f"https://127.0.0.1:{port}/secret")).startswith("its certificate isn't trusted: ")
        assert await fail(f"http://127.0.0.1:{port}/secret") == "ServerDisconnectedError"


async def test_a_missing_server_is_told_from_a_missing_name() -> None:
    """Neither has the URL in it, which may have a secret."""
    (port,) = find_free_ports(1)
    assert await fail(f"http://127.0.0.1:{port}/secret") == "the connection is refused"
    assert await fail("http://no-such-name.invalid/secret") == "the name isn't found"


def test_the_cause_counts_wherever_it_is() -> None:
    """Libraries wrap it several times."""
    outer = ValueError("secret")
    outer.__cause__ = OSError("secret")
    outer.__cause__.__context__ = ssl.SSLError(1, "wrong version number")
    assert describe_connection_error(outer) == "TLS failed: SSLError"
    assert describe_connection_error(socket.gaierror(-2, "secret")) == "the name isn't found"
    assert describe_connection_error(ValueError("secret")) == "ValueError"
