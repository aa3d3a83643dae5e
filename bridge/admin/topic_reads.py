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
    """Runs the readings of all routes, one after the other."""

    def __init__(self) -> None:
        self._reading = asyncio.Lock()
        self._waiting = 0

    async def answer(self, read: Callable[[], Awaitable[Response]]) -> Response:
        """Answer with what a reading returns, or with why it failed."""
        if self._waiting > MAX_WAITING:
            return make_error("other searches are under way; try again in a few seconds", 503)
        self._waiting += 1
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
        finally:
            self._waiting -= 1
