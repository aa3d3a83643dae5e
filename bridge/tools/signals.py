"""How a command ends early: SIGINT and SIGTERM cancel its work, which then cleans up."""

import asyncio
import os
import signal
import sys
from collections.abc import Coroutine
from typing import Any

import uvloop

from bridge.observability.logs import ignore_lost_connections

INTERRUPTED = 130


def run_until_signal(work: Coroutine[Any, Any, int], *, endless: bool) -> int:
    """Run to the end, or until SIGINT or SIGTERM.

    Handlers of our own: as process 1 of a container a signal without one does nothing.

    Args:
        work: What to do.
        endless: It has no end of its own, so that being told to end is none of its failures.

    Returns:
        What the work returned; when it was told to end, 0 if it is endless, else 130.
    """
    try:
        return uvloop.run(_watched(work, 0 if endless else INTERRUPTED))
    except BrokenPipeError:
        # Whoever read our output has seen enough, as `head` has; Python would complain once more on its way out.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


async def _watched(work: Coroutine[Any, Any, int], interrupted: int) -> int:
    asyncio.get_running_loop().set_exception_handler(ignore_lost_connections)
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    task, waiting = asyncio.ensure_future(work), asyncio.ensure_future(told.wait())
    await asyncio.wait([task, waiting], return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if task.done():
        return task.result()
    task.cancel()
    await asyncio.wait([task])
    return interrupted
