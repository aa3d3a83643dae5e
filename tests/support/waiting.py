"""Waiting for what must become true, with an end; never for a time to pass."""

import asyncio
from collections.abc import Awaitable, Callable

LOOK_EVERY = 0.05


async def until(condition: Callable[[], Awaitable[bool]], within: float, complaint: Callable[[], str]) -> None:
    """Return as soon as a condition holds.

    Raises:
        AssertionError: It didn't within so many seconds.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + within
    while not await condition():
        assert loop.time() < end, complaint()
        await asyncio.sleep(LOOK_EVERY)
