"""The public listener with hostile clients: slow ones, large requests, many at once; and over TLS."""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Self

import httpx
import pytest_asyncio
import trustme

from tests.support.service.accounts import CALLBACKS_ONLY, SECRETS
from tests.support.service.bridge import Bridge, message
from tests.support.service.fleet import Fleet

LORISES = 500


@pytest_asyncio.fixture(scope="module")
async def walled(fleet: Fleet, client: httpx.AsyncClient) -> AsyncIterator[Bridge]:
    """A bridge that only receives callbacks."""
    async with fleet.topics() as topics, fleet.running({**topics.settings, **CALLBACKS_ONLY}) as service:
        yield Bridge(service, topics, client, SECRETS)


class Connection:
    """A connection on which a test sends raw bytes."""

    def __init__(self, bridge: Bridge, tls: ssl.SSLContext | None = None) -> None:
        self._port, self._tls = int(bridge.service.url.rpartition(":")[2]), tls

    async def __aenter__(self) -> Self:
        self.reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port, ssl=self._tls)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.close()

    async def say(self, words: bytes) -> None:
        """Send bytes."""
        self._writer.write(words)
        await self._writer.drain()

    async def status(self) -> int:
        """Read the next response, and return its status."""
        head = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), 60)
        lines = head.decode().lower().split("\r\n")
        length = next((int(line.split(":")[1]) for line in lines if line.startswith("content-length:")), 0)
        await self.reader.readexactly(length)
        return int(lines[0].split(" ")[1])


def post(path: str, body: bytes, length: int | None = None) -> bytes:
    """Encode a request."""
    head = f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
    return f"{head}content-length: {len(body) if length is None else length}\r\n\r\n".encode() + body


def path_of(bridge: Bridge, provider: str) -> str:
    """Return the path of a provider's callbacks."""
    return bridge.url(provider).removeprefix(bridge.service.url)


async def test_slow_strangers_delay_no_honest_callback_and_are_cut(walled: Bridge) -> None:
    """Hundreds of clients never finish their headers or body; a callback among them is accepted at once."""
    ones = [await walled.send_and_wait() for _ in range(5)]
    async with AsyncExitStack() as stack:
        slow = [await stack.enter_async_context(Connection(walled)) for _ in range(LORISES)]
        for number, loris in enumerate(slow):
            halves = (b"POST /dlr/dexatel/x HTTP/1.1\r\nhost: x\r\nx-a: ", post(path_of(walled, "speedocom"), b"{", 60))
            await loris.say(halves[number % 2])
        took = []
        for one in ones:
            began = time.monotonic()
            assert await walled.report(one, "delivered") == 200
            took.append(time.monotonic() - began)
        assert sorted(took)[2] < 1, took
        ends = await asyncio.wait_for(asyncio.gather(*(loris.reader.read() for loris in slow)), 30)
        assert {end[9:12] for end in ends} <= {b"", b"408"}
    for one in ones:
        assert [event["status"] for event in await walled.events(one)] == ["delivered"]


async def test_providers_have_places_of_their_own(fleet: Fleet, client: httpx.AsyncClient) -> None:
    """What waits for Kafka is limited for each provider; a body that isn't complete takes no place."""
    few = {**CALLBACKS_ONLY, "HTTP__MAX_WAITING": "2"}
    async with fleet.topics() as topics, fleet.running({**topics.settings, **few}) as service:
        bridge = Bridge(service, topics, client, SECRETS)
        one, other = await bridge.send_and_wait(), await bridge.send_and_wait(message("speedocom"))
        async with AsyncExitStack() as stack:
            slow = [await stack.enter_async_context(Connection(bridge)) for _ in range(3)]
            for connection in slow:
                await connection.say(post(path_of(bridge, "speedocom"), b"{", 60))
            assert await bridge.report(other, "Queued") == 200
            crowd = [bridge.report(other, "SentToNetwork") for _ in range(30)]
            *crowded, first, second = await asyncio.gather(
                *crowd, bridge.report(one, "sent"), bridge.report(one, "sent")
            )
            assert set(crowded) == {200, 503}
            assert (first, second) == (200, 200)
            assert {await connection.status() for connection in slow} == {408}
        assert await bridge.report(other, "DeliveredToTerminal") == 200


async def test_headers_and_urls_have_bounds(walled: Bridge) -> None:
    """An endless head is rejected; a head as long as a provider might send is accepted."""
    path = path_of(walled, "dexatel")
    for head in (
        f"GET {path}?x={'y' * 70_000} HTTP/1.1\r\nhost: x\r\n\r\n",
        f"GET {path} HTTP/1.1\r\nhost: x\r\nx-a: {'y' * 70_000}\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: x\r\n" + "".join(f"x-{n}: y\r\n" for n in range(500)) + "\r\n",
    ):
        async with Connection(walled) as stranger:
            await stranger.say(head.encode())
            answer = await asyncio.wait_for(stranger.reader.read(), 20)
            assert answer[9:12] in {b"", b"400", b"414", b"431"}, answer[:80]
    one = await walled.send_and_wait()
    assert await walled.report(one, "delivered", note="y" * 8_000) == 200


async def test_a_connection_is_kept_and_never_out_of_step(walled: Bridge) -> None:
    """Each response belongs to its request, also if a body was never read."""
    one = await walled.send_and_wait(message("speedocom"))
    body = b'{"messageid":"%s","description":"Queued"}' % one.provider_message_id.encode()
    right = post(path_of(walled, "speedocom"), body)
    async with Connection(walled) as kept:
        for request, status in ((right, 200), (b"GET /none HTTP/1.1\r\nhost: x\r\n\r\n", 404), (right, 200)):
            await kept.say(request)
            assert await kept.status() == status
        await kept.say(right + right)  # before the first answer
        assert [await kept.status(), await kept.status()] == [200, 200]
        # A body that looks like a request, with a wrong secret, is not treated as a request.
        await kept.say(post("/dlr/speedocom/a-wrong-secret-0123", right))
        assert await kept.status() == 404
        await kept.say(b"GET /none HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        rest = await asyncio.wait_for(kept.reader.read(), 20)
        assert b" 200 " not in rest
    assert [event["status"] for event in await walled.events(one)] == ["pending"]


async def test_callbacks_come_over_tls(fleet: Fleet, tmp_path: Path) -> None:
    """With a certificate, only TLS is accepted, also 1.2; a callback without TLS fails."""
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1", "localhost")
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    chain.write_bytes(b"".join(blob.bytes() for blob in certificate.cert_chain_pems))
    key.write_bytes(certificate.private_key_pem.bytes())
    tls = {"HTTP__TLS_CERT": str(chain), "HTTP__TLS_KEY": str(key)}
    context = ssl.create_default_context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    authority.configure_trust(context)
    async with (
        fleet.topics() as topics,
        fleet.running({**topics.settings, **CALLBACKS_ONLY, **tls}) as service,
        httpx.AsyncClient(verify=context, timeout=20) as client,
        httpx.AsyncClient() as plain,
    ):
        bridge = Bridge(service, topics, client, SECRETS)
        in_the_clear, service.url = service.url, service.url.replace("http:", "https:")
        one = await bridge.send_and_wait()
        assert await bridge.report(one, "delivered") == 200
        assert [event["status"] for event in await bridge.events(one)] == ["delivered"]
        try:
            answer = await plain.get(f"{in_the_clear}/dlr/dexatel/x")
        except httpx.HTTPError:
            return
        assert answer.status_code == 400


async def test_files_of_the_cache_are_private(bridge: Bridge) -> None:
    """They have phone numbers in them."""
    found = {path: path.stat().st_mode & 0o077 for path in (bridge.service.state, *bridge.service.state.rglob("*"))}
    assert len(found) > 3
    assert {path for path, mode in found.items() if mode} == set()
