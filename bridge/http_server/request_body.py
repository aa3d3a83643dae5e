"""The body of a request, while it is being received."""

import asyncio
from collections.abc import Callable

from bridge.http_server.messages import MAX_BODY_BYTES, BodyTooLargeError


class RequestBody:
    """Collects a body, limited in size.

    Args:
        ask: Asks the client to send the body, if it waits for that (RFC 9110, section 10.1.1).
    """

    __slots__ = ("_ask", "_content", "_error", "_waiter", "complete")

    def __init__(self, ask: Callable[[], None] | None = None) -> None:
        self._ask = ask
        # Not a list of pieces: a client may send a byte at a time, and an object takes fifty.
        self._content = bytearray()
        self._error: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None
        self.complete = False
        """Whether all of it was received."""

    @property
    def held_bytes(self) -> int:
        """How much of it is held."""
        return len(self._content)

    def feed(self, chunk: bytes) -> None:
        """Take a piece of the body; one that is too large is dropped."""
        if self._error:
            return
        self._content += chunk
        if len(self._content) > MAX_BODY_BYTES:
            self.fail(BodyTooLargeError())

    def finish(self) -> None:
        """The body was received whole."""
        self.complete = True
        self._wake()

    def fail(self, error: Exception) -> None:
        """The body won't be received; the first error stays. It isn't complete, so no request can follow it."""
        if not self.complete:
            self._error = self._error or error
            self._content = bytearray()
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
        return bytes(self._content)

    def _wake(self) -> None:
        if self._waiter and not self._waiter.done():
            self._waiter.set_result(None)
