"""One question over real HTTP: what is sent, what is not trusted, and when it is given up."""

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
    """A server's URL."""

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
    """The answer to a plain question."""
    async with ProviderClient() as client:
        return await client.send(PollRequest("GET", url, {"token": "t0ken"}, None), timeout)


async def test_a_question_arrives_as_the_dialect_wrote_it() -> None:
    """Escapes in a URL stay as they are: an id that holds a slash is no path of two."""
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
    """A handshake for every question would be the larger part of the work."""
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
async def test_slow_or_endless_answer_is_given_up(path: str) -> None:
    """A question is bounded in time and in size."""
    async with serving(lambda _: web.Response(body=b"x" * (MAX_ANSWER_BYTES + 1))) as url:
        with pytest.raises(PollFailedError) as raised:
            await ask(url + path, 0.3 if path == "/hang" else 5)
    assert "localhost" not in str(raised.value)


async def test_a_provider_that_is_not_there_is_no_answer() -> None:
    """A refused connection is one more kind of outage; the error names no URL."""
    with pytest.raises(PollFailedError) as raised:
        await ask("http://127.0.0.1:1/a/secret/in/the/url")
    assert "secret" not in str(raised.value)


async def test_a_redirect_is_not_followed() -> None:
    """Credentials go where settings say and nowhere else."""
    async with serving(lambda _: web.Response(status=302, headers={"Location": "/other"})) as url:
        assert (await ask(url)).status == 302


async def test_a_certificate_that_nobody_vouches_for_is_refused() -> None:
    """The token of an account is not told to whoever answers at the address."""
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


async def test_a_proxy_is_taken_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the way out leads over a proxy, the usual variables say so, and name what is reached without."""
    async with (
        serving(lambda request: web.Response(text=f"proxied {request.raw_path}")) as proxy,
        serving(lambda _: web.Response(text="direct")) as url,
    ):
        monkeypatch.setenv("http_proxy", proxy)
        assert (await ask("http://provider.example/v1?x=1")).body.startswith(b"proxied http://provider.example/v1")
        monkeypatch.setenv("no_proxy", "localhost")
        assert (await ask(url)).body == b"direct"
