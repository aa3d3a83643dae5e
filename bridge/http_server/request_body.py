"""The body of a request, while it is being received."""

import asyncio
from collections.abc import Callable

from bridge.http_server.messages import MAX_BODY_BYTES, BodyTooLargeError


class RequestBody:
    """Collects a body, limited in size.

    Args:
        ask: Asks the client to send the body, if it waits for that (RFC 9110, section 10.1.1).
    """

    __slots__ = ("_ask", "_chunks", "_error", "_waiter", "complete", "held_bytes")

    def __init__(self, ask: Callable[[], None] | None = None) -> None:
        self._ask = ask
        self._chunks: list[bytes] = []
        self._error: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None
        self.held_bytes = 0
        self.complete = False
        """Whether all of it was received, or nothing more will be."""

    def feed(self, chunk: bytes) -> None:
        """Take a piece of the body; one that is too large is dropped."""
        if self._error:
            return
        self.held_bytes += len(chunk)
        self._chunks.append(chunk)
        if self.held_bytes > MAX_BODY_BYTES:
            self.fail(BodyTooLargeError())

    def finish(self) -> None:
        """The body was received whole."""
        self.complete = True
        self._wake()

    def fail(self, error: Exception) -> None:
        """The body won't be received; the first error stays. It isn't complete, so no request can follow it."""
        if not self.complete:
            self._error = self._error or error
            self._chunks.clear()
            self.held_bytes = 0
            self._wake()

    async def read(self) -> bytes:
        """Return the body once it is complete.

        Raises:
            BodyTooLargeError: It is larger than `MAX_BODY_BYTES`.
            BodyTimeoutError: It wasn't received in time.
            BodyIncompleteError: It wasn't received whole.
        """
        if not self.complete and self._error is None:
            if self._ask:
                self._ask()
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        if self._error:
            raise self._error
        return self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)

    def _wake(self) -> None:
        if self._waiter and not self._waiter.done():
            self._waiter.set_result(None)
