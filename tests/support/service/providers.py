"""The providers' polling APIs as one real HTTP server, which gives prepared answers and records requests."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, NamedTuple, Self

from aiohttp import web

TOKEN = "tok-0123456789abcdef-dexatel-abc"
API_KEY = "key-0123456789abcdef-speedocom-x"
PARTNER_ID = "4711"


class Reply(NamedTuple):
    """The answer to a poll."""

    document: Any = None
    status: int = 200
    headers: Mapping[str, str] = {}


class Hang(NamedTuple):
    """A poll gets no answer."""


class Asked(NamedTuple):
    """One recorded poll."""

    account: str
    provider_message_id: str
    at: float
    """By the event loop's clock, in seconds."""
    method: str
    target: str
    """Path and query as they came."""
    headers: Mapping[str, str]
    body: bytes


NO_DLR = Reply({"response-code": 1009, "response-description": "No dlr"})
NOT_FOUND = Reply({"errors": [{"status": 404, "message": "message not found", "code": 1501}]}, 404)


def dexatel_says(status: str, **members: Any) -> Reply:
    """Return an answer of Dexatel's legacy API."""
    return Reply({"statusName": "OK", "data": {"status": status, **members}})


def speedocom_says(word: str, **members: Any) -> Reply:
    """Return Speedocom's answer about a known message."""
    return Reply(
        {
            "response-code": 200,
            "response-description": "Success",
            "delivery-status": 32,
            "delivery-description": word,
            "delivery-networkid": 1,
            **members,
        }
    )


class Providers:
    """Every account has its own base URL, `{url}/{account}`."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[Asked] = []
        self._scripts: dict[str, list[Reply | Hang]] = {}
        self._gates: dict[str, Reply | Hang] = {}
        self._closing = asyncio.Event()

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_route("*", "/{account}/{rest:.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0, handler_cancellation=True)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        await self._runner.cleanup()

    def script(self, provider_message_id: str, replies: Sequence[Reply | Hang]) -> None:
        """Answer polls of a message in this order; the last answer is repeated."""
        self._scripts[provider_message_id] = list(replies)

    def gate(self, account: str, reply: Reply | Hang | None) -> None:
        """Give all polls of an account the same answer; None: no longer."""
        if reply is None:
            self._gates.pop(account, None)
        else:
            self._gates[account] = reply

    def polls(self, provider_message_id: str) -> list[Asked]:
        """Return the polls of one message."""
        return [one for one in self.asked if one.provider_message_id == provider_message_id]

    async def _answer(self, request: web.Request) -> web.Response:
        body = await request.read()
        account = request.match_info["account"]
        if request.method == "POST":
            message_id, default = str(json.loads(body)["messageID"]), NO_DLR
        else:
            message_id, default = request.match_info["rest"].rsplit("/", 1)[-1], NOT_FOUND
        now = asyncio.get_running_loop().time()
        asked = Asked(account, message_id, now, request.method, request.raw_path, request.headers, body)
        self.asked.append(asked)
        script = self._scripts.get(message_id, [default])
        reply = self._gates.get(account)
        if reply is None:
            reply = script.pop(0) if len(script) > 1 else script[0]
        if isinstance(reply, Hang):
            await self._closing.wait()
            return web.Response(status=503)
        if isinstance(reply.document, bytes):
            return web.Response(body=reply.document, status=reply.status, headers=reply.headers)
        return web.json_response(reply.document, status=reply.status, headers=reply.headers)
