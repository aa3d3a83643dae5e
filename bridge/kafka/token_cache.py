"""Keeps a token until shortly before its end. Concurrent callers share one request for the next one."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import NamedTuple

import structlog

from bridge.concurrency import retrieve_exception
from bridge.kafka.tokens import TokenError

RENEW_BEFORE = 60.0
"""Seconds before its end at which a token is renewed, but at most a fifth of its life."""

FAILURE_PAUSE = 1.0
"""Seconds after a failure in which no other request is made: several clients try several times per second."""

log = structlog.get_logger(__name__)


class IssuedToken(NamedTuple):
    """A token that has just been issued."""

    token: str
    lifetime: float
    """In seconds, from the request on."""


class TokenCache:
    """Keeps the tokens of one source.

    Args:
        request: Requests a new token; raises `TokenError`.
        clock: Monotonic seconds.
    """

    def __init__(
        self, request: Callable[[], Awaitable[IssuedToken]], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._request, self._clock = request, clock
        self._token = ""
        self._renew_at = self._expires_at = float("-inf")
        self._running: asyncio.Task[str] | None = None
        self._failure, self._failed_at = "", float("-inf")

    async def fetch(self) -> str:
        """Return a token that is valid now.

        Raises:
            TokenError: There is none.
        """
        if self._clock() < self._renew_at:
            return self._token
        try:
            return await self._share_request()
        except TokenError as error:
            if self._clock() >= self._expires_at:
                raise
            log.debug("token can't be renewed yet; the previous one is valid", error=str(error))
            return self._token

    async def _share_request(self) -> str:
        if self._running is None or self._running.done():
            if self._clock() < self._failed_at + FAILURE_PAUSE:
                raise TokenError(self._failure)
            self._running = asyncio.create_task(self._renew())
            self._running.add_done_callback(retrieve_exception)
        return await asyncio.shield(self._running)

    async def _renew(self) -> str:
        began = self._clock()
        try:
            issued = await self._request()
        except TokenError as error:
            self._failure, self._failed_at = str(error), self._clock()
            raise
        self._token, self._expires_at = issued.token, began + issued.lifetime
        self._renew_at = self._expires_at - min(RENEW_BEFORE, issued.lifetime / 5)
        return self._token
