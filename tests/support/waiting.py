"""Waits for a condition with a timeout, never for a fixed time."""

import asyncio
from collections.abc import Awaitable, Callable

CHECK_INTERVAL_SECONDS = 0.05


async def wait_until(condition: Callable[[], Awaitable[bool]], timeout: float, describe: Callable[[], str]) -> None:
    """Return as soon as a condition holds.

    Args:
        condition: Checked repeatedly.
        timeout: In seconds.
        describe: Returns the error's text.

    Raises:
        AssertionError: The condition didn't hold in time.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + timeout
    while not await condition():
        assert loop.time() < end, describe()
        await asyncio.sleep(CHECK_INTERVAL_SECONDS)
