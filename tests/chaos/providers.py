"""Both simulated providers, each behind a front with moods: what it lets through is the provider's word."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from dataclasses import replace
from enum import StrEnum
from typing import Self
from unittest.mock import patch

import aiohttp
from aiohttp import web

from bridge.sandbox.simulator.fault_profiles import ROUGH, PollFault
from bridge.sandbox.simulator.server import Simulator
from bridge.sandbox.simulator.wire_formats import DexatelWireFormat, SpeedocomWireFormat

PROVIDERS = ("dexatel", "speedocom")

PROFILE = replace(ROUGH, troubles={PollFault.RATE_LIMITED: 0.002, PollFault.ERROR: 0.002, PollFault.HANG: 0.0005})
"""Reports go as wrong as in the demo; polls fail in storms rather than here and there."""

RETRIES = 8
"""How often a callback is repeated, over two minutes: a correction is told by nothing else, and must outlive faults."""

LONGEST_HANG = 30.0


class Mood(StrEnum):
    """How a front treats polls."""

    CALM = "calm"
    LIMITED = "limited"
    FAILING = "failing"
    HANGING = "hanging"
    RESETTING = "resetting"
    BABBLING = "babbling"
    REFUSING = "refusing"


@contextmanager
def _patient() -> Iterator[None]:
    with patch.object(DexatelWireFormat, "retries", RETRIES), patch.object(SpeedocomWireFormat, "retries", RETRIES):
        yield


class Front:
    """What stands before a provider's look-up interface.

    Args:
        target: The provider's URL.
    """

    def __init__(self, provider: str, target: str) -> None:
        self.url = ""
        self.mood = Mood.CALM
        self.counters: Counter[str] = Counter()
        self._provider, self._target = provider, target

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0, handler_cancellation=True)
        self._client = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(20))
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.close()
        await self._runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        self.counters[self.mood] += 1
        number = self.counters[self.mood]
        if self.mood is Mood.CALM:
            return await self._forward(request)
        if self.mood is Mood.HANGING:
            await asyncio.sleep(LONGEST_HANG)
        if self.mood is Mood.RESETTING and request.transport is not None:
            request.transport.abort()
        return self._nonsense(number)

    def _nonsense(self, number: int) -> web.Response:
        """What comes in place of an answer."""
        match self.mood:
            case Mood.LIMITED:
                headers = {"Retry-After": "2"} if number % 2 else {}
                return web.json_response({"message": "slow down"}, status=429, headers=headers)
            case Mood.BABBLING:
                return web.Response(body=BABBLE[number % len(BABBLE)], content_type="application/json")
            case Mood.REFUSING:
                return self._refusal()
            case _:
                return web.Response(status=(500, 502, 503, 504)[number % 4], text="<h1>Bad day</h1>")

    def _refusal(self) -> web.Response:
        if self._provider == "dexatel":
            return web.json_response({"errors": [{"status": 401, "code": 1001, "message": "unauthorized"}]}, status=401)
        return web.json_response({"response-code": 1006, "response-description": "Invalid credentials"})

    async def _forward(self, request: web.Request) -> web.Response:
        headers = {name: value for name, value in request.headers.items() if name.lower() not in HOP_BY_HOP}
        async with self._client.request(
            request.method, self._target + request.raw_path, headers=headers, data=await request.read()
        ) as answer:
            kept = {"Retry-After": answer.headers["Retry-After"]} if "Retry-After" in answer.headers else {}
            body = await answer.read()
            return web.Response(status=answer.status, body=body, headers=kept, content_type=answer.content_type)


HOP_BY_HOP = {"host", "content-length", "transfer-encoding", "connection", "accept-encoding"}

BABBLE = (
    b"",
    b"null",
    b"[]",
    b'{"statusName": "OK", "data": {"stat',
    b"<html><h1>Maintenance</h1></html>",
    b"\xff\xfe\x00\x01" * 64,
    b'{"response-code": {"a": [1]}, "data": 7}',
)
"""What isn't an answer."""


class Providers:
    """Both providers and their fronts: `async with Providers(urls, seed) as providers`.

    Args:
        callback_urls: Where each one's callbacks go.
        seed: The same seed gives every message the same fate.
        speed: What the providers' times are divided by.
        acknowledged: Is told the id and the word of every callback that got its 200.
    """

    def __init__(
        self, callback_urls: Mapping[str, str], seed: int, speed: float, acknowledged: Callable[[str, str], None]
    ) -> None:
        self._stack = AsyncExitStack()
        with _patient():
            self.simulators = {
                name: Simulator(
                    name,
                    callback_urls[name],
                    profile=PROFILE,
                    seed=seed,
                    speed=speed,
                    concurrency=96,
                    acknowledged=acknowledged,
                )
                for name in PROVIDERS
            }
        self.fronts: dict[str, Front] = {}

    async def __aenter__(self) -> Self:
        for name, simulator in self.simulators.items():
            await self._stack.enter_async_context(simulator)
            self.fronts[name] = await self._stack.enter_async_context(Front(name, simulator.url))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    @property
    def counters(self) -> Counter[str]:
        """What both count together."""
        return sum((simulator.counters for simulator in self.simulators.values()), Counter())

    @contextmanager
    def mood(self, mood: Mood) -> Iterator[None]:
        """Both are in this mood."""
        for front in self.fronts.values():
            front.mood = mood
        try:
            yield
        finally:
            for front in self.fronts.values():
                front.mood = Mood.CALM
