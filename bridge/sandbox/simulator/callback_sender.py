"""How a simulator's callbacks get out: when they are due, a bounded number at a time, tried again as providers do.

What they say, and whether there are any, was settled elsewhere (`truth.py`, `voices.py`).
"""

import asyncio
from asyncio import Event, Queue, Task, get_running_loop
from collections import Counter
from collections.abc import Callable
from http import HTTPStatus
from typing import NamedTuple

from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector

from bridge.sandbox.simulator.wire_formats import CallbackRequest

TIMEOUT = 10.0
"""Seconds that a provider waits for an answer."""

RETRY_AFTER = 0.5
"""Seconds until it tries again; twice as long each time. Divided by the speed."""

NO_ANSWER = 599
"""Stands for the status of an answer that never came."""


class _Attempt(NamedTuple):
    request: CallbackRequest
    acknowledged: Callable[[], None]
    tries: int


class CallbackSender:
    """Sends what was scheduled, until it is acknowledged, refused or given up.

    Args:
        retries: How often it tries again after a 5xx or no answer.
        speed: What spacing is divided by.
        concurrency: Callbacks in flight at most.
        counters: Where to count `callback_sent`, `_retried`, and how each ended: `callback_acknowledged` (2xx),
            `callback_refused` (anything else that isn't the server's failure), `callback_given_up`.
    """

    def __init__(self, *, retries: int, speed: float, concurrency: int, counters: Counter[str]) -> None:
        self._retries = retries
        self._speed = speed
        self._concurrency = concurrency
        self._counters = counters
        self._due: Queue[_Attempt] = Queue()
        self._outstanding = 0
        self._idle = Event()
        self._idle.set()
        self._tasks: list[Task[None]] = []

    async def start(self) -> None:
        """Begin to send."""
        self._client = ClientSession(
            connector=TCPConnector(limit=self._concurrency), timeout=ClientTimeout(total=TIMEOUT)
        )
        self._tasks = [asyncio.create_task(self._send_due()) for _ in range(self._concurrency)]

    async def stop(self) -> None:
        """Stop at once; what is outstanding is dropped."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._client.close()

    def schedule(self, delay: float, request: CallbackRequest, acknowledged: Callable[[], None]) -> None:
        """Send this in so many seconds, and say when it was acknowledged."""
        self._outstanding += 1
        self._idle.clear()
        self._later(delay, _Attempt(request, acknowledged, 0))

    async def drained(self) -> None:
        """Return when nothing is outstanding."""
        await self._idle.wait()

    def _later(self, delay: float, attempt: _Attempt) -> None:
        get_running_loop().call_later(max(0.0, delay), self._due.put_nowait, attempt)

    async def _send_due(self) -> None:
        while True:
            request, acknowledged, tries = await self._due.get()
            status = await self._send(request)
            if status >= HTTPStatus.INTERNAL_SERVER_ERROR and tries < self._retries:
                self._counters["callback_retried"] += 1
                self._later(RETRY_AFTER * 2**tries / self._speed, _Attempt(request, acknowledged, tries + 1))
                continue
            ending = _ending(status)
            self._counters[f"callback_{ending}"] += 1
            if ending == "acknowledged":
                acknowledged()
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
            return NO_ANSWER


def _ending(status: int) -> str:
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return "acknowledged"
    return "given_up" if status >= HTTPStatus.INTERNAL_SERVER_ERROR else "refused"
