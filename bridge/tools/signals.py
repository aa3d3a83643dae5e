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
    """Run work to its end, or until SIGINT or SIGTERM.

    It sets handlers of its own: process 1 of a container ignores signals without one, and so does a background job.

    Args:
        work: What to do.
        endless: It has no end of its own, so a signal is its normal end.

    Returns:
        The work's result; after a signal 0 if it is endless, else 130.
    """
    try:
        return uvloop.run(_run(work, 0 if endless else INTERRUPTED))
    except BrokenPipeError:
        # The reader of the output has ended, as `head` does; without this Python would report it once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


async def _run(work: Coroutine[Any, Any, int], interrupted: int) -> int:
    asyncio.get_running_loop().set_exception_handler(ignore_lost_connections)
    signalled = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, signalled.set)
    task, waiting = asyncio.ensure_future(work), asyncio.ensure_future(signalled.wait())
    await asyncio.wait([task, waiting], return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if task.done():
        return task.result()
    task.cancel()
    await asyncio.wait([task])
    return interrupted
