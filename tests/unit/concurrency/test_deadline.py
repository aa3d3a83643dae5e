"""A deadline ends waits that take too long, each at its own time, and no others."""

import asyncio
from contextlib import suppress

import pytest

from bridge.concurrency import Deadline


async def end(waiting: "asyncio.Task[str]") -> str:
    """Return how a wait ended."""
    try:
        return await waiting
    except TimeoutError:
        return "too late"


async def test_each_wait_has_its_own_deadline() -> None:
    """What is done in time has its result, and what isn't fails; a later wait isn't ended with an earlier one."""
    loop, deadline = asyncio.get_running_loop(), Deadline(0.05)
    futures = [loop.create_future() for _ in range(3)]
    never, done, later = futures
    first, second = (asyncio.create_task(deadline.wait(future)) for future in (never, done))
    await asyncio.sleep(0)
    done.set_result("done")
    assert await end(second) == "done"
    await asyncio.sleep(0.02)
    third = asyncio.create_task(deadline.wait(later))
    began = loop.time()
    assert await end(first) == "too late"
    assert await end(third) == "too late"
    assert loop.time() - began >= 0.05
    assert all(future.done() for future in futures)


async def test_deadline_works_again_after_a_pause() -> None:
    """It needs no timer while nothing waits."""
    deadline = Deadline(0.01)
    for _ in range(3):
        with pytest.raises(TimeoutError):
            await deadline.wait(asyncio.get_running_loop().create_future())
        await asyncio.sleep(0.02)


async def test_nothing_is_kept_of_what_ended() -> None:
    """However a wait ends."""
    loop, deadline = asyncio.get_running_loop(), Deadline(60.0)
    failing, cancelled = loop.create_future(), loop.create_future()
    waits = [asyncio.create_task(deadline.wait(future)) for future in (failing, cancelled)]
    await asyncio.sleep(0)
    failing.set_exception(ValueError())
    waits[1].cancel()
    for wait in waits:
        with suppress(ValueError, asyncio.CancelledError):
            await wait
    assert not deadline._waiting  # noqa: SLF001
