"""Work in the event loop that must give way, must not be cut short, or must not take for ever to stop."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Coroutine, Sequence
from typing import Any, TypeVar

import structlog

SLICE_SECONDS = 0.001
"""How long work may hold the event loop before others get their turn."""

SLICE_ITEMS = 50
"""Items between two looks at the clock: less than a millisecond of work, as a rule."""

STOP_TIMEOUT = 5.0
"""Seconds that a client may take to stop."""

log = structlog.get_logger(__name__)

_T = TypeVar("_T")


async def yield_slices(items: Sequence[Any], size: int = SLICE_ITEMS) -> AsyncIterator[Sequence[Any]]:
    """Yield slices of the items, returning control to the event loop every millisecond."""
    began = time.monotonic()
    for start in range(0, len(items), size):
        yield items[start : start + size]
        if time.monotonic() - began >= SLICE_SECONDS:
            await asyncio.sleep(0)
            began = time.monotonic()


async def shield_to_completion(work: Coroutine[Any, Any, Any]) -> None:
    """Run work that must not be left half done; a cancelled caller waits up to `STOP_TIMEOUT` seconds for its end."""
    task = asyncio.ensure_future(work)
    task.add_done_callback(retrieve_exception)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task], timeout=STOP_TIMEOUT)
        task.cancel()
        raise


class Deadline:
    """Waits for futures, each at most for the same time: one timer serves all of them.

    A timer for each would take 2 of a callback's microseconds, `asyncio.wait` 3.5.

    Args:
        seconds: The time.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._waiting: dict[asyncio.Future[Any], float] = {}
        """When each has to be done, the earliest first."""
        self._timer: asyncio.TimerHandle | None = None

    async def wait(self, future: asyncio.Future[_T]) -> _T:
        """Return a future's result.

        Raises:
            TimeoutError: It isn't done in time, and has failed now.
        """
        loop = asyncio.get_running_loop()
        self._waiting[future] = loop.time() + self._seconds
        if self._timer is None:
            self._timer = loop.call_later(self._seconds, self._expire, loop)
        try:
            return await future
        finally:
            del self._waiting[future]

    def _expire(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        now = loop.time()
        for future, deadline in self._waiting.items():
            if deadline > now:
                self._timer = loop.call_at(deadline, self._expire, loop)
                break
            if not future.done():
                future.set_exception(TimeoutError())


def retrieve_exception(done: asyncio.Future[Any]) -> None:
    """Retrieve the exception to suppress asyncio's "never retrieved" warning."""
    if not done.cancelled():
        done.exception()


async def stop_with_timeout(stopping: Awaitable[Any], what: str) -> None:
    """Wait up to `STOP_TIMEOUT` seconds for a client to stop, and ignore its errors.

    What the client still held is settled by its successor. The stop runs in a task of its own, because the client
    library may cancel it from within, and that must not cancel the caller.
    """
    task = asyncio.ensure_future(stopping)
    task.add_done_callback(retrieve_exception)
    done, _ = await asyncio.wait([task], timeout=STOP_TIMEOUT)
    if not done:
        task.cancel()
    elif task.cancelled() or task.exception():
        log.debug("client did not stop cleanly", client=what, error=repr(task))
