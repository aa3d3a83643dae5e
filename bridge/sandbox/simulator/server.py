"""A simulator: one provider's HTTP server, its callbacks, and the interface that controls it.

How the provider behaves is in `simulated_provider.py`, the control interface in `control_api.py`.
"""

import time
from asyncio import Event
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from types import TracebackType
from typing import NoReturn, Self

from aiohttp import web

from bridge.sandbox.simulator.callback_sender import CallbackSender
from bridge.sandbox.simulator.control_api import make_control_routes, read_document
from bridge.sandbox.simulator.fault_profiles import PollFault
from bridge.sandbox.simulator.options import SimulatorOptions
from bridge.sandbox.simulator.scenarios import Scenario
from bridge.sandbox.simulator.simulated_provider import SimulatedProvider

FAULT_RESPONSES: Mapping[PollFault, Callable[[], web.Response]] = {
    PollFault.RATE_LIMITED: lambda: web.json_response(
        {"message": "slow down"}, status=429, headers={"Retry-After": "1"}
    ),
    PollFault.ERROR: lambda: web.Response(text="<h1>Internal Server Error</h1>", status=500, content_type="text/html"),
    PollFault.UNAVAILABLE: lambda: web.Response(status=503),
    PollFault.GARBAGE: lambda: web.Response(text="<h1>Maintenance</h1>", content_type="text/html"),
    PollFault.HANG: lambda: web.Response(status=503),  # no client sees it: it is sent when the server closes
}


class Simulator:
    """One provider: `async with Simulator("dexatel") as simulator: simulator.submit(provider_message_id)`.

    Args:
        provider: `dexatel` or `speedocom`.
        options: How it runs.
        on_acknowledged: Called with the message id and the status of every callback that gets a 2xx.
    """

    def __init__(
        self,
        provider: str,
        options: SimulatorOptions | None = None,
        *,
        on_acknowledged: Callable[[str, str], None] = lambda _id, _status: None,
    ) -> None:
        options = options or SimulatorOptions()
        self.url = ""
        """Without a slash at the end; known while the simulator runs."""
        self.counters: Counter[str] = Counter()
        """`callback_` sent, acknowledged, retried, refused, given_up, lost, duplicated; `poll_` report, no_report,
        refused, or the fault that replaced the answer; `page_` report, limited, refused."""
        self._options = options
        self._provider = SimulatedProvider(provider, options, self.counters)
        self._on_acknowledged = on_acknowledged
        self._closing = Event()
        retries = options.max_callback_retries
        self._sender = CallbackSender(
            max_retries=self._provider.wire_format.max_retries if retries is None else retries,
            speed=options.speed,
            max_concurrency=options.max_concurrent_callbacks,
            counters=self.counters,
        )

    @property
    def provider(self) -> str:
        """Its name."""
        return self._provider.name

    @property
    def scenarios(self) -> Mapping[str, Scenario]:
        """The scenario of every submitted message, by the provider's message id."""
        return self._provider.scenarios

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.add_routes([*self._make_poll_routes(), *make_control_routes(self.submit, self.scenarios, self.counters)])
        # When a client stops waiting for an answer that hangs, its handler is cancelled too.
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0, handler_cancellation=True)
        await self._runner.setup()
        host, tls = self._options.host, self._options.tls
        try:
            await web.TCPSite(self._runner, host, self._options.port, ssl_context=tls).start()
        except OSError:
            await self._runner.cleanup()
            raise
        self.url = f"{'https' if tls else 'http'}://{host}:{self._runner.addresses[0][1]}"
        await self._sender.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        await self._sender.stop()
        await self._runner.cleanup()

    def submit(self, provider_message_id: str, at: float | None = None) -> Scenario:
        """Accept a message, decide its scenario and schedule its callbacks. A known message is only looked up.

        Args:
            provider_message_id: The id that the provider gives it.
            at: When it was submitted, in seconds since the epoch; now by default.
        """
        if known := self.scenarios.get(provider_message_id):
            return known
        submitted_at = time.time() if at is None else at
        scenario = self._provider.add_message(provider_message_id, submitted_at)
        if self._options.callback_url:
            self._schedule_callbacks(scenario, submitted_at)
        return scenario

    async def wait_until_drained(self) -> None:
        """Return when no callback is outstanding: each was acknowledged, refused or given up."""
        await self._sender.wait_until_drained()

    def _schedule_callbacks(self, scenario: Scenario, submitted_at: float) -> None:
        callbacks, message_id = scenario.callbacks, scenario.provider_message_id
        self.counters["callback_lost"] += len(scenario.lost_steps)
        self.counters["callback_duplicated"] += len(callbacks) - len({callback.step for callback in callbacks})
        for callback in callbacks:
            request = self._provider.make_callback(message_id, callback.step)
            on_acknowledged = partial(self._on_acknowledged, message_id, callback.step.provider_status)
            self._sender.schedule(submitted_at + callback.after_seconds - time.time(), request, on_acknowledged)

    def _make_poll_routes(self) -> list[web.RouteDef]:
        async def poll_by_path(request: web.Request) -> web.Response:
            return await self._answer_poll(request, {"messageID": request.match_info["id"]})

        async def poll_by_query(request: web.Request) -> web.Response:
            return await self._answer_poll(request, request.query)

        async def poll_by_body(request: web.Request) -> web.Response:
            members = await read_document(request)
            return await self._answer_poll(request, {name: str(value) for name, value in members.items()})

        return {
            "dexatel": [
                web.get("/dlr/{id}", poll_by_path),
                web.get("/v1/messages", self._provider.message_list.answer),
                web.get("/v1/messages/{id}", poll_by_path),
            ],
            "speedocom": [
                web.get("/api/services/getdlr", poll_by_query),
                web.post("/api/services/getdlr", poll_by_body),
            ],
        }[self.provider]

    async def _answer_poll(self, request: web.Request, parameters: Mapping[str, str]) -> web.Response:
        outcome, answer = self._provider.answer_poll(request.headers, parameters)
        self.counters[f"poll_{outcome}"] += 1
        if outcome == PollFault.HANG:
            await self._closing.wait()
        if answer is None:
            return FAULT_RESPONSES[PollFault(outcome)]()
        return web.json_response(answer.document, status=answer.status)


async def run_simulator(simulator: Simulator, on_ready: Callable[[str], None] | None = None) -> NoReturn:
    """Run a simulator until cancelled.

    Args:
        simulator: The simulator.
        on_ready: Called with its URL as soon as it listens.

    Raises:
        OSError: It can't listen on its address.
    """
    async with simulator:
        if on_ready is not None:
            on_ready(simulator.url)
        while True:
            await Event().wait()
