"""Both providers as real HTTP servers, that keep their word and break it as `truth.py` has settled.

Here polls are answered, or aren't, and a message's callbacks are set in motion. Beside the provider's own interface
there is one to control it, so that it can be a process of its own: `POST /submit`, `GET /truth`, `GET /counters`.
"""

import json
import time
from asyncio import Event
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from ssl import SSLContext
from types import TracebackType
from typing import Any, NoReturn, Self

from aiohttp import web

from bridge.sandbox.simulator.callback_sender import CallbackSender
from bridge.sandbox.simulator.fault_profiles import ROUGH, Dice, FaultProfile, PollFault
from bridge.sandbox.simulator.message_list import MessageList
from bridge.sandbox.simulator.scenarios import Scenario, make_scenario
from bridge.sandbox.simulator.wire_formats import (
    DexatelWireFormat,
    PollResponse,
    ProviderWireFormat,
    ReportedStatus,
    SpeedocomWireFormat,
)

TOKEN = "0123456789abcdef0123456789abcdef"  # noqa: S105 - opens nothing but a simulator
PARTNER_ID = "1"

TROUBLES: Mapping[PollFault, Callable[[], web.Response]] = {
    PollFault.RATE_LIMITED: lambda: web.json_response(
        {"message": "slow down"}, status=429, headers={"Retry-After": "1"}
    ),
    PollFault.ERROR: lambda: web.Response(text="<h1>Internal Server Error</h1>", status=500, content_type="text/html"),
    PollFault.UNAVAILABLE: lambda: web.Response(status=503),
    PollFault.GARBAGE: lambda: web.Response(text="<h1>Maintenance</h1>", content_type="text/html"),
    PollFault.HANG: lambda: web.Response(status=503),  # seen by nobody: it comes when the server closes
}


class Simulator:
    """One provider: `async with Simulator("dexatel", callback_url) as provider: provider.submit(id)`.

    Args:
        provider: `dexatel` or `speedocom`.
        callback_url: Where callbacks go, secret and all; empty: there are none, only polls tell.
        profile: How often what goes wrong.
        seed: The same seed gives every message the same fate.
        speed: All the provider's times are divided by it.
        host: Where to listen.
        port: Where to listen; 0 takes a free port.
        token: What polls must carry: Dexatel's token, Speedocom's API key.
        partner_id: Speedocom's second credential.
        api: Which callbacks Dexatel sends: `legacy` or `v1`. Polls of both are answered.
        webhook_secret: What Dexatel's webhooks are signed with.
        concurrency: Callbacks in flight at most.
        acknowledged: Is told the id and the word of every callback that got its 2xx.
        page_rate: Pages of Dexatel's list a second; 0: no limit.
        tls: With it, TLS is spoken.
    """

    def __init__(
        self,
        provider: str,
        callback_url: str = "",
        *,
        profile: FaultProfile = ROUGH,
        seed: int = 1,
        speed: float = 1.0,
        host: str = "127.0.0.1",
        port: int = 0,
        token: str = TOKEN,
        partner_id: str = PARTNER_ID,
        api: str = "legacy",
        webhook_secret: str | None = None,
        concurrency: int = 64,
        acknowledged: Callable[[str, str], None] = lambda _id, _word: None,
        page_rate: float = 0,
        tls: SSLContext | None = None,
    ) -> None:
        dexatel = DexatelWireFormat(api=api, token=token, webhook_secret=webhook_secret)
        voices: Mapping[str, ProviderWireFormat] = {
            "dexatel": dexatel,
            "speedocom": SpeedocomWireFormat(token=token, partner_id=partner_id),
        }
        self.provider = provider
        self.url = ""
        """Where it listens, without a slash at the end; known once it is entered."""
        self.truth: dict[str, Scenario] = {}
        """The fate of every message that was submitted, by the provider's id."""
        self.counters: Counter[str] = Counter()
        """`callback_` sent, acknowledged, retried, refused, given_up, lost, duplicated; `poll_` report, no_report,
        refused, or the trouble that came in place of an answer; `page_` report, limited, refused."""
        self._listing = MessageList(dexatel, self.truth, self.counters, rate=page_rate)
        self._voice = voices[provider]
        self._callback_url = callback_url
        self._profile = profile
        self._seed = seed
        self._speed = speed
        self._address, self._tls = (host, port), tls
        self._submitted_at: dict[str, float] = {}
        self._polled: Counter[str] = Counter()
        self._closing = Event()
        self._acknowledged = acknowledged
        self._sender = CallbackSender(
            retries=self._voice.retries, speed=speed, concurrency=concurrency, counters=self.counters
        )

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.add_routes([*self._poll_routes(), *self._control_routes()])
        # A client that gives up on an answer that hangs takes the handler with it.
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0, handler_cancellation=True)
        await self._runner.setup()
        host, port = self._address
        try:
            await web.TCPSite(self._runner, host, port, ssl_context=self._tls).start()
        except OSError:
            await self._runner.cleanup()
            raise
        self.url = f"{'https' if self._tls else 'http'}://{host}:{self._runner.addresses[0][1]}"
        await self._sender.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        await self._sender.stop()
        await self._runner.cleanup()

    def submit(self, provider_message_id: str, at: float | None = None) -> Scenario:
        """Take a message: what will happen to it is settled, and begins. Once taken it is only looked up.

        Args:
            provider_message_id: The id that the provider gives it.
            at: When it was submitted, in seconds since the epoch; now by default.
        """
        if known := self.truth.get(provider_message_id):
            return known
        settled = make_scenario(self._seed, self.provider, provider_message_id, self._profile, self._speed)
        submitted_at = time.time() if at is None else at
        self.truth[provider_message_id] = settled
        self._submitted_at[provider_message_id] = submitted_at
        self._listing.add(provider_message_id, submitted_at)
        if self._callback_url:
            self._set_in_motion(settled, submitted_at)
        return settled

    async def drained(self) -> None:
        """Return when no callback is outstanding: each was acknowledged, refused or given up."""
        await self._sender.drained()

    def _set_in_motion(self, settled: Scenario, submitted_at: float) -> None:
        self.counters["callback_lost"] += len(settled.lost)
        self.counters["callback_duplicated"] += len(settled.calls) - len({call.step for call in settled.calls})
        dice = self._dice(settled.provider_message_id)
        for call in settled.calls:
            told = ReportedStatus(call.step.word, submitted_at + call.step.after, submitted_at)
            request = self._voice.callback(self._callback_url, told, dice, varied=self._profile.varied)
            acknowledged = partial(self._acknowledged, settled.provider_message_id, call.step.word)
            self._sender.schedule(submitted_at + call.after - time.time(), request, acknowledged)

    def _dice(self, provider_message_id: str) -> Dice:
        return Dice(self._seed, self.provider, provider_message_id)

    def _poll_routes(self) -> list[web.RouteDef]:
        async def by_path(request: web.Request) -> web.Response:
            return await self._poll(request, {"messageID": request.match_info["id"]})

        async def by_query(request: web.Request) -> web.Response:
            return await self._poll(request, request.query)

        async def by_body(request: web.Request) -> web.Response:
            members = await _document(request)
            return await self._poll(request, {name: str(value) for name, value in members.items()})

        return {
            "dexatel": [
                web.get("/dlr/{id}", by_path),
                web.get("/v1/messages", self._listing.answer),
                web.get("/v1/messages/{id}", by_path),
            ],
            "speedocom": [web.get("/api/services/getdlr", by_query), web.post("/api/services/getdlr", by_body)],
        }[self.provider]

    async def _poll(self, request: web.Request, question: Mapping[str, str]) -> web.Response:
        outcome, answer = self._decide(request.headers, question)
        self.counters[f"poll_{outcome}"] += 1
        if outcome == PollFault.HANG:
            await self._closing.wait()
        if answer is None:
            return TROUBLES[PollFault(outcome)]()
        return web.json_response(answer.document, status=answer.status)

    def _decide(self, headers: Mapping[str, str], question: Mapping[str, str]) -> tuple[str, PollResponse | None]:
        """What a poll gets, and its name; no answer where trouble comes in its place."""
        if refusal := self._voice.refusal(headers, question):
            return "refused", refusal
        provider_message_id = question.get("messageID", "")
        dice, varied = self._dice(provider_message_id), self._profile.varied
        self._polled[provider_message_id] += 1
        trouble = dice.weighted(self._profile.troubles, f"poll {self._polled[provider_message_id]}")
        if trouble is not None:
            return trouble, None
        submitted_at = self._submitted_at.get(provider_message_id, 0.0)
        settled = self.truth.get(provider_message_id)
        step = settled.known(time.time() - submitted_at) if settled else None
        if step is None:
            return "no_report", self._voice.no_report(dice, varied=varied)
        told = ReportedStatus(step.word, submitted_at + step.after, submitted_at)
        return "report", self._voice.report(told, dice, varied=varied)

    def _control_routes(self) -> list[web.RouteDef]:
        async def submit(request: web.Request) -> web.Response:
            document = await _document(request)
            at = document.get("at")
            if not isinstance(document.get("id"), str) or not isinstance(at, int | float | None):
                return web.json_response({"error": 'expected {"id": "...", "at": seconds or absent}'}, status=400)
            return web.json_response(_as_json(self.submit(document["id"], at)))

        async def truth(_request: web.Request) -> web.Response:
            return web.json_response({known: _as_json(settled) for known, settled in self.truth.items()})

        async def counters(_request: web.Request) -> web.Response:
            return web.json_response(dict(self.counters))

        return [web.post("/submit", submit), web.get("/truth", truth), web.get("/counters", counters)]


async def run_simulator(simulator: Simulator, ready: Callable[[str], None] | None = None) -> NoReturn:
    """Run one until cancelled.

    Args:
        simulator: Which, and how.
        ready: Called with its URL once it listens.

    Raises:
        OSError: It can't listen there.
    """
    async with simulator:
        if ready is not None:
            ready(simulator.url)
        while True:
            await Event().wait()


async def _document(request: web.Request) -> Mapping[str, Any]:
    """A JSON or form body's members; none where it is neither."""
    if request.content_type == "application/x-www-form-urlencoded":
        return {name: str(value) for name, value in (await request.post()).items()}
    try:
        document = await request.json()
    except json.JSONDecodeError:
        return {}
    return document if isinstance(document, dict) else {}


def _as_json(settled: Scenario) -> dict[str, Any]:
    return {**settled._asdict(), "flaws": sorted(settled.flaws)}
