"""Both simulated providers, each behind a proxy that can make polls fail."""

import asyncio
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from dataclasses import replace
from enum import StrEnum
from typing import Self
from zlib import crc32

import aiohttp
from aiohttp import web

from bridge.sandbox.demo.sent_producer import PROVIDERS
from bridge.sandbox.simulator.fault_profiles import ROUGH, PollFault
from bridge.sandbox.simulator.options import SimulatorOptions
from bridge.sandbox.simulator.server import Simulator

PROFILE = replace(ROUGH, poll_faults={PollFault.RATE_LIMITED: 0.002, PollFault.ERROR: 0.002, PollFault.HANG: 0.0005})
"""The callback faults of the demo; polls fail mostly because of injected faults."""

MAX_CALLBACK_RETRIES = 8
"""Over two minutes, because a correction is reported only by its callback, which must outlast the faults."""

MAX_HANG_SECONDS = 30.0
FORWARD_TIMEOUT_SECONDS = 20


class ProxyMode(StrEnum):
    """What a proxy does with polls."""

    FORWARDING = "forwarding"
    LIMITED = "limited"
    FAILING = "failing"
    HANGING = "hanging"
    RESETTING = "resetting"
    BABBLING = "babbling"
    REFUSING = "refusing"
    REJECTING = "rejecting"
    """Errors about some of the messages; the others are forwarded."""


class PollProxy:
    """A proxy in front of a provider's polling API.

    Args:
        provider: The provider's name.
        target: The provider's URL.
        rejected: The words of each poll are added to it that gets an answer about its message alone.
    """

    def __init__(self, provider: str, target: str, rejected: set[str]) -> None:
        self.url = ""
        self.mode = ProxyMode.FORWARDING
        self._counts: Counter[str] = Counter()
        self._provider, self._target, self._rejected = provider, target, rejected

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0, handler_cancellation=True)
        self._client = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(FORWARD_TIMEOUT_SECONDS))
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.close()
        await self._runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        self._counts[self.mode] += 1
        number = self._counts[self.mode]
        if self.mode is ProxyMode.FORWARDING or (self.mode is ProxyMode.REJECTING and not await _is_rejected(request)):
            return await self._forward(request)
        if self.mode in {ProxyMode.REJECTING, ProxyMode.BABBLING}:
            self._rejected.update(WORDS.findall(f"{request.raw_path} {await request.text()}"))
        if self.mode is ProxyMode.HANGING:
            await asyncio.sleep(MAX_HANG_SECONDS)
        if self.mode is ProxyMode.RESETTING and request.transport is not None:
            request.transport.abort()
        return self._make_fault_response(number)

    def _make_fault_response(self, number: int) -> web.Response:
        match self.mode:
            case ProxyMode.LIMITED:
                headers = {"Retry-After": "2"} if number % 2 else {}
                return web.json_response({"message": "slow down"}, status=429, headers=headers)
            case ProxyMode.BABBLING:
                return web.Response(body=GARBAGE_BODIES[number % len(GARBAGE_BODIES)], content_type="application/json")
            case ProxyMode.REFUSING:
                return self._make_refusal()
            case ProxyMode.REJECTING:
                return self._make_rejection(number)
            case _:
                return web.Response(status=(500, 502, 503, 504)[number % 4], text="<h1>Bad day</h1>")

    def _make_refusal(self) -> web.Response:
        if self._provider == "dexatel":
            return web.json_response({"errors": [{"status": 401, "code": 1001, "message": "unauthorized"}]}, status=401)
        return web.json_response({"response-code": 1006, "response-description": "Invalid credentials"})

    def _make_rejection(self, number: int) -> web.Response:
        if self._provider == "dexatel":
            status = (403, 410, 422)[number % 3]
            return web.json_response({"errors": [{"status": status, "message": "no"}]}, status=status)
        return web.json_response({"response-code": (4093, 1002, 1010)[number % 3], "response-description": "no"})

    async def _forward(self, request: web.Request) -> web.Response:
        headers = {name: value for name, value in request.headers.items() if name.lower() not in HOP_BY_HOP}
        async with self._client.request(
            request.method, self._target + request.raw_path, headers=headers, data=await request.read()
        ) as response:
            kept = {name: response.headers[name] for name in ("Retry-After",) if name in response.headers}
            body = await response.read()
            return web.Response(status=response.status, body=body, headers=kept, content_type=response.content_type)


async def _is_rejected(request: web.Request) -> bool:
    """Whether a poll is about one of the messages that are rejected: always the same third."""
    return crc32(request.raw_path.encode() + await request.read()) % 3 == 0


WORDS = re.compile(r"[0-9A-Za-z-]{8,}")
"""What may be a message's id."""

HOP_BY_HOP = {"host", "content-length", "transfer-encoding", "connection", "accept-encoding"}

GARBAGE_BODIES = (
    b"",
    b"null",
    b"[]",
    b'{"statusName": "OK", "data": {"stat',
    b"<html><h1>Maintenance</h1></html>",
    b"\xff\xfe\x00\x01" * 64,
    b'{"response-code": {"a": [1]}, "data": 7}',
)


class Providers:
    """Both simulated providers and their proxies.

    Args:
        callback_urls: Each provider's callback URL.
        seed: The same seed gives every message the same scenario.
        speed: The providers' times are divided by it.
        on_acknowledged: Called with the id and the status of every callback that got a 200.
        rejected: The words of polls that get an answer about their messages alone are added to it.
    """

    def __init__(
        self,
        callback_urls: Mapping[str, str],
        seed: int,
        speed: float,
        *,
        on_acknowledged: Callable[[str, str], None],
        rejected: set[str],
    ) -> None:
        self._stack, self._rejected = AsyncExitStack(), rejected
        self.simulators = {
            name: Simulator(
                name,
                SimulatorOptions(
                    callback_url=callback_urls[name],
                    profile=PROFILE,
                    seed=seed,
                    speed=speed,
                    max_concurrent_callbacks=96,
                    max_callback_retries=MAX_CALLBACK_RETRIES,
                ),
                on_acknowledged=on_acknowledged,
            )
            for name in PROVIDERS
        }
        self.proxies: dict[str, PollProxy] = {}

    async def __aenter__(self) -> Self:
        for name, simulator in self.simulators.items():
            await self._stack.enter_async_context(simulator)
            self.proxies[name] = await self._stack.enter_async_context(PollProxy(name, simulator.url, self._rejected))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    @property
    def counters(self) -> Counter[str]:
        """The sum of both simulators' counters."""
        return sum((simulator.counters for simulator in self.simulators.values()), Counter())

    @contextmanager
    def use_mode(self, mode: ProxyMode) -> Iterator[None]:
        """Put both proxies into a mode for this block."""
        for proxy in self.proxies.values():
            proxy.mode = mode
        try:
            yield
        finally:
            for proxy in self.proxies.values():
                proxy.mode = ProxyMode.FORWARDING
