"""Sends a simulator's callbacks: at their time, with limited concurrency, retried as the providers do.

The callbacks' content and schedule come from `scenarios.py` and `wire_formats.py`.
"""

import asyncio
from asyncio import Event, Queue, Task, get_running_loop
from collections import Counter
from collections.abc import Callable
from http import HTTPStatus
from typing import NamedTuple

from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector

from bridge.sandbox.simulator.wire_formats import CallbackRequest

CALLBACK_TIMEOUT_SECONDS = 10.0

FIRST_RETRY_INTERVAL_SECONDS = 0.5
"""Doubles with each retry. Divided by the speed."""

NO_RESPONSE_STATUS = 599
"""Used as the status if no response arrives."""


class _CallbackAttempt(NamedTuple):
    request: CallbackRequest
    on_acknowledged: Callable[[], None]
    retries: int


class CallbackSender:
    """Sends each scheduled callback until it is acknowledged or refused, or the retries are used up.

    Args:
        max_retries: How often a callback is retried after a 5xx or no response.
        speed: Retry intervals are divided by it.
        max_concurrency: How many callbacks are in flight at most.
        counters: Counts `callback_sent`, `callback_retried` and each result: `callback_acknowledged` (2xx),
            `callback_given_up` (5xx or no response until the end), `callback_refused` (any other status).
    """

    def __init__(self, *, max_retries: int, speed: float, max_concurrency: int, counters: Counter[str]) -> None:
        self._max_retries = max_retries
        self._speed = speed
        self._max_concurrency = max_concurrency
        self._counters = counters
        self._due: Queue[_CallbackAttempt] = Queue()
        self._outstanding = 0
        self._idle = Event()
        self._idle.set()
        self._tasks: list[Task[None]] = []

    async def start(self) -> None:
        """Start sending."""
        self._client = ClientSession(
            connector=TCPConnector(limit=self._max_concurrency), timeout=ClientTimeout(total=CALLBACK_TIMEOUT_SECONDS)
        )
        self._tasks = [asyncio.create_task(self._send_due()) for _ in range(self._max_concurrency)]

    async def stop(self) -> None:
        """Stop at once and drop the outstanding callbacks."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._client.close()

    def schedule(self, delay_seconds: float, request: CallbackRequest, on_acknowledged: Callable[[], None]) -> None:
        """Send a callback after a delay; `on_acknowledged` is called when it gets a 2xx."""
        self._outstanding += 1
        self._idle.clear()
        self._enqueue_after(delay_seconds, _CallbackAttempt(request, on_acknowledged, 0))

    async def wait_until_drained(self) -> None:
        """Return when no callback is outstanding."""
        await self._idle.wait()

    def _enqueue_after(self, delay_seconds: float, attempt: _CallbackAttempt) -> None:
        get_running_loop().call_later(max(0.0, delay_seconds), self._due.put_nowait, attempt)

    async def _send_due(self) -> None:
        while True:
            request, on_acknowledged, retries = await self._due.get()
            status = await self._send(request)
            if status >= HTTPStatus.INTERNAL_SERVER_ERROR and retries < self._max_retries:
                self._counters["callback_retried"] += 1
                interval = FIRST_RETRY_INTERVAL_SECONDS * 2**retries / self._speed
                self._enqueue_after(interval, _CallbackAttempt(request, on_acknowledged, retries + 1))
                continue
            result = _classify_status(status)
            self._counters[f"callback_{result}"] += 1
            if result == "acknowledged":
                on_acknowledged()
            self._outstanding -= 1
            if not self._outstanding:
                self._idle.set()

    async def _send(self, request: CallbackRequest) -> int:
        self._counters["callback_sent"] += 1
        try:
            async with self._client.request(
                request.method, request.url, headers=request.headers, data=request.body, allow_redirects=False
            ) as response:
                return response.status
        except (ClientError, TimeoutError, OSError):
            return NO_RESPONSE_STATUS


def _classify_status(status: int) -> str:
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return "acknowledged"
    return "given_up" if status >= HTTPStatus.INTERNAL_SERVER_ERROR else "refused"
