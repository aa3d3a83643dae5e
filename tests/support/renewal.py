"""A program beside the bridge that renews short-lived credentials, however long the bridge takes to start."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

INTERVAL_SECONDS = 1.0


@asynccontextmanager
async def renewing(write: Callable[[], None]) -> AsyncIterator[None]:
    """Write at once, and again every second until the end of the block."""
    await asyncio.to_thread(write)

    async def renew() -> None:
        while True:
            await asyncio.sleep(INTERVAL_SECONDS)
            await asyncio.to_thread(write)

    task = asyncio.create_task(renew())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])
