"""Work in the event loop that must give way, must not be cut short, or must not take for ever to stop."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Coroutine, Sequence
from typing import Any

import structlog

SLICE_SECONDS = 0.001
"""How long work may hold the event loop before others get their turn."""

SLICE_ITEMS = 50
"""Items between two looks at the clock: less than a millisecond of work, as a rule."""

STOP_TIMEOUT = 5.0
"""Seconds that a client may take to stop."""

log = structlog.get_logger(__name__)


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


async def wait_until_done(future: asyncio.Future[Any], seconds: float) -> bool:
    """Wait until a future is done, but at most so long; return whether it is.

    It does what `asyncio.wait` does for several, in a quarter of the time: 0.8 instead of 3.5 microseconds.
    """
    loop = asyncio.get_running_loop()
    waiter: asyncio.Future[None] = loop.create_future()

    def wake(_: Any = None) -> None:
        if not waiter.done():
            waiter.set_result(None)

    timer = loop.call_later(seconds, wake)
    future.add_done_callback(wake)
    try:
        await waiter
    finally:
        timer.cancel()
        future.remove_done_callback(wake)
    return future.done()


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
