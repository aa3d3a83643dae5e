"""Reads topics for the status page: one reading at a time, each with a time-out.

A reading takes CPU of the process that otherwise works for messages.
"""

import asyncio
from collections.abc import Awaitable, Callable

from aiokafka.errors import KafkaError

from bridge.admin.page_responses import make_error
from bridge.core.errors import ConfigurationError
from bridge.http_server.messages import Response
from bridge.kafka.errors import format_error

READ_TIMEOUT = 30.0
"""Seconds, with the time that a reading waits for others; the command line has longer."""

MAX_WAITING = 4
"""Readings that may wait for another one; more are refused."""


class TopicReads:
    """Runs the readings of all routes, one after the other; a viewer's next one ends the one before."""

    def __init__(self) -> None:
        self._reading = asyncio.Lock()
        self._tasks: dict[asyncio.Task[Response], str] = {}
        """What runs or waits, with its viewer."""

    async def answer(self, read: Callable[[], Awaitable[Response]], viewer: str = "") -> Response:
        """Answer with what a reading returns, or with why it failed.

        Args:
            read: Reads.
            viewer: Who asks, so that nobody waits for an answer that isn't wanted any more; empty if that isn't known.
        """
        for task, other in self._tasks.items():
            if viewer and other == viewer:
                task.cancel()
        if sum(not task.cancelling() for task in self._tasks) > MAX_WAITING:
            return make_error("other searches are under way; try again in a few seconds", 503)
        task = asyncio.create_task(self._read(read))
        self._tasks[task] = viewer
        try:
            await asyncio.wait([task])
            return make_error("a later search took this one's place", 409) if task.cancelled() else task.result()
        finally:
            task.cancel()
            del self._tasks[task]

    async def _read(self, read: Callable[[], Awaitable[Response]]) -> Response:
        try:
            async with asyncio.timeout(READ_TIMEOUT), self._reading:
                return await read()
        except TimeoutError:
            text = f"not found within {READ_TIMEOUT:.0f} s; choose a shorter time, or use `sms-bridge trace`"
            return make_error(text, 504)
        except ConfigurationError as error:
            return make_error(f"the topics can't be read: {error}", 503)
        except (KafkaError, OSError) as error:
            return make_error(f"the topics can't be read: {format_error(error)}", 503)
