"""A single poll over real HTTP: the request, what is not trusted, and when it is given up."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
import trustme
from aiohttp import web

from bridge.core.errors import PollFailedError
from bridge.poller.client import MAX_ANSWER_BYTES, ProviderClient
from bridge.providers.dialect import PollAnswer, PollRequest

Serve = Callable[[web.Request], web.StreamResponse]


@asynccontextmanager
async def serving(handle: Serve, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """Yield a server's URL."""

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.path.endswith("/hang"):
            await asyncio.sleep(60)
        return handle(request)

    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    try:
        yield f"http{'s' if tls else ''}://localhost:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def ask(url: str, timeout: float = 5) -> PollAnswer:
    """Return the answer to a plain poll."""
    async with ProviderClient() as client:
        return await client.send(PollRequest("GET", url, {"token": "t0ken"}, None), timeout)


async def test_request_url_is_unchanged() -> None:
    """Escaped characters stay escaped, so that an id with a slash is one path segment."""
    seen = list[web.Request]()

    def handle(request: web.Request) -> web.Response:
        seen.append(request)
        return web.Response(status=429, text="patience", headers={"Retry-After": "7"})

    async with serving(handle) as url:
        assert await ask(f"{url}/v1/a%2Fb%20%C3%BC%25") == PollAnswer(429, "7", b"patience")
    assert seen[0].raw_path == "/v1/a%2Fb%20%C3%BC%25"
    assert seen[0].headers["token"] == "t0ken"
    assert seen[0].headers["User-Agent"].startswith("sms-bridge/")


async def test_connections_are_reused() -> None:
    """Several polls use one connection."""
    peers = set[object]()

    def handle(request: web.Request) -> web.Response:
        assert request.transport
        peers.add(request.transport.get_extra_info("peername"))
        return web.Response(text="{}", headers={"Set-Cookie": "session=1"})

    async with serving(handle) as url, ProviderClient() as client:
        for _ in range(5):
            await client.send(PollRequest("GET", url, {}, None), 5)
    assert len(peers) == 1


@pytest.mark.parametrize("path", ["/hang", "/large"])
async def test_slow_or_endless_response_is_given_up(path: str) -> None:
    """A poll is limited in time and size."""
    async with serving(lambda _: web.Response(body=b"x" * (MAX_ANSWER_BYTES + 1))) as url:
        with pytest.raises(PollFailedError) as raised:
            await ask(url + path, 0.3 if path == "/hang" else 5)
    assert "localhost" not in str(raised.value)


async def test_refused_connection_is_a_failed_poll() -> None:
    """The error contains no URL."""
    with pytest.raises(PollFailedError) as raised:
        await ask("http://127.0.0.1:1/a/secret/in/the/url")
    assert "secret" not in str(raised.value)


async def test_redirects_are_not_followed() -> None:
    """Credentials go only to the configured URL."""
    async with serving(lambda _: web.Response(status=302, headers={"Location": "/other"})) as url:
        assert (await ask(url)).status == 302


async def test_untrusted_certificate_is_refused() -> None:
    """The credentials aren't sent."""
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert("localhost").configure_cert(tls)
    seen = list[web.Request]()

    def handle(request: web.Request) -> web.Response:
        seen.append(request)
        return web.Response()

    async with serving(handle, tls) as url:
        with pytest.raises(PollFailedError):
            await ask(url)
    assert not seen


async def test_proxy_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The usual variables configure the proxy and its exceptions."""
    async with (
        serving(lambda request: web.Response(text=f"proxied {request.raw_path}")) as proxy,
        serving(lambda _: web.Response(text="direct")) as url,
    ):
        monkeypatch.setenv("http_proxy", proxy)
        assert (await ask("http://provider.example/v1?x=1")).body.startswith(b"proxied http://provider.example/v1")
        monkeypatch.setenv("no_proxy", "localhost")
        assert (await ask(url)).body == b"direct"
