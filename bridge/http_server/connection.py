"""One client's connection: receives requests, and answers one after the other.

Every wait for the client has an end: the listener looks at the deadlines from time to time, and calls `expire`.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress
from functools import partial
from math import inf

import structlog

from bridge.http_server import bounds
from bridge.http_server.connection_context import ConnectionContext
from bridge.http_server.connection_table import CloseReason
from bridge.http_server.messages import BodyTimeoutError, Response
from bridge.http_server.request_parser import MalformedRequestError, ParserState, ReceivedRequest, RequestParser
from bridge.http_server.response_encoding import CONTINUE, encode_head, encode_piece, encode_rejection

log = structlog.get_logger(__name__)


class Connection(asyncio.Protocol):
    """Receives requests and sends responses.

    Args:
        context: What it shares with the listener's other connections.
        client: The address at its other end.
        peer: What it counts for.
    """

    def __init__(self, context: ConnectionContext, client: str, peer: str) -> None:
        self.peer, self.index = peer, 0
        self.opening: asyncio.Task[None] | None = None  # makes it ready: the handshake of TLS
        self.deadline, self.write_deadline = inf, inf
        self._context, self._loop = context, asyncio.get_running_loop()
        self.lost: asyncio.Future[None] = self._loop.create_future()  # done when it is gone
        self._opened_at = self.waits_since = self._loop.time()
        self._transport: asyncio.Transport | None = None
        self._parser = RequestParser(client, partial(self._write, CONTINUE))
        self._progress = ParserState.BETWEEN, 0
        self._answering: ReceivedRequest | None = None
        self._streaming: asyncio.Task[None] | None = None
        self._served = self._drained_bytes = self._strange = self.held_bytes = 0
        self._finishing = self._closing = self._client_ended = self._pausing = self._full = False
        self._writable: asyncio.Future[None] | None = None

    @property
    def waits_for_client(self) -> bool:
        """Whether it can be closed without losing the answer to its client's only request."""
        return self._answering is None or not self._answering.body.complete or bool(self._parser.requests)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection is open, TLS included."""
        self._transport = transport  # type: ignore[assignment]  # uvloop's are no subclasses of asyncio's
        self.deadline = self._loop.time() + self._context.limits.idle_timeout

    def data_received(self, data: bytes) -> None:
        """Take a part of a request, or several requests."""
        if self._closing:
            self._drained_bytes += len(data)
            if self._drained_bytes > bounds.MAX_DRAINED_BYTES:
                self.abort(CloseReason.MALFORMED)
            return
        try:
            self._parser.feed(data)
        except MalformedRequestError as error:
            self._reject(error.status, CloseReason.MALFORMED)
        if self._progress != (self._parser.state, self._parser.begun):
            self._progress = (self._parser.state, self._parser.begun)
            self._set_deadline()
        self._context.hold(self, self._parser.held_bytes)
        self._answer_next()

    @property
    def is_lost(self) -> bool:
        """Whether nothing can be sent any more."""
        return self._closing or self._transport is None or self._transport.is_closing()

    def eof_received(self) -> bool:
        """The client sends nothing more; return whether there is still something to send."""
        self._client_ended = True
        self._parser.end()
        answers = self._answering is not None and not self._closing
        return answers and self._transport is not None and self._transport.can_write_eof()

    def pause_writing(self) -> None:
        """The client doesn't read as fast as it is sent to; it isn't listened to until it does."""
        self._writable = self._loop.create_future()
        self.write_deadline = self._loop.time() + bounds.WRITE_TIMEOUT
        self._update_reading()

    def resume_writing(self) -> None:
        """The client has read."""
        if self._writable:
            self._writable.set_result(None)
        self._writable, self.write_deadline = None, inf
        self._update_reading()

    def connection_lost(self, _: Exception | None) -> None:
        """The connection is gone. A request that was received whole is still handled."""
        self._context.table.remove(self)
        self.lost.set_result(None)
        self._stop_receiving()
        self.deadline = self.write_deadline = inf
        if self._streaming:
            self._streaming.cancel()

    def retire(self) -> None:
        """Close the connection with its next response."""
        self._finishing = True

    def finish(self) -> None:
        """Answer what was received, then close the connection."""
        self._finishing = True
        if self._transport and not self._answering and not self._closing:
            self._close()

    def abort(self, reason: CloseReason) -> None:
        """Close the connection at once."""
        self._context.report(reason)
        self._closing = True
        if self._transport:
            self._transport.abort()
        elif self.opening:
            self.opening.cancel()

    def expire(self) -> None:
        """End the wait for the client that took too long."""
        if self.write_deadline < inf or self._closing:
            self.abort(CloseReason.SLOW_READER)
        elif self._parser.state is ParserState.BODY:
            self._context.report(CloseReason.SLOW_REQUEST)
            self.deadline = inf
            self._parser.fail_body(BodyTimeoutError())
        elif self._parser.state is ParserState.HEAD:
            self._reject(408, CloseReason.SLOW_REQUEST)
        else:
            self._close()

    def _set_deadline(self) -> None:
        """Bound the wait for what the client has to send next, unless it isn't listened to."""
        if self._full:
            timeout = inf
        elif self._parser.state is ParserState.BETWEEN:
            timeout = inf if self._answering or self._parser.requests else self._context.limits.idle_timeout
        else:
            timeout = bounds.HEAD_TIMEOUT if self._parser.state is ParserState.HEAD else bounds.BODY_TIMEOUT
        self.deadline = self._loop.time() + timeout

    def _update_reading(self) -> None:
        """Listen to the client only as far as there is room for what it sends."""
        full = bool(self._writable or self._pausing or self._parser.requests)
        if full != self._full and self._transport and not self._transport.is_closing():
            self._full = full
            self._transport.pause_reading() if full else self._transport.resume_reading()
            self._set_deadline()

    def _answer_next(self) -> None:
        if self._parser.requests and not (self._answering or self._pausing or self.is_lost):
            self._answering = self._parser.requests.popleft()
            task = self._loop.create_task(self._answer(self._answering))
            self._context.tasks.add(task)
            task.add_done_callback(self._context.tasks.discard)
        self._update_reading()

    async def _answer(self, received: ReceivedRequest) -> None:
        try:
            response = await self._context.handler(received.request)
        except Exception:
            log.exception("request failed", route=received.request.path.split("/")[1:3])
            response = Response(500)
        keep_alive = self._can_continue(received)
        head = encode_head(response, self._context.date, version=received.version, keep_alive=keep_alive)
        if response.stream is not None:
            await self._stream(head, response.stream, chunked=received.version != "1.0")
            keep_alive &= received.version != "1.0"
        else:
            self._write(head if received.request.method == "HEAD" else head + response.body)
        self._strange = self._strange + 1 if response.status in bounds.STRANGERS else 0
        if self._strange >= bounds.MAX_STRANGE and not self._context.limits.is_proxy(self.peer):
            self._pausing = True
            self._loop.call_later(bounds.STRANGERS_PAUSE, self._end_pause)
        self._end_answer(keep_alive=keep_alive)

    def _can_continue(self, received: ReceivedRequest) -> bool:
        """Whether another request can follow: the client may send one, and it is known where it begins."""
        young = self._served + 1 < bounds.MAX_REQUESTS and self._loop.time() - self._opened_at < bounds.MAX_AGE
        ends = self._finishing or self._closing or (self._parser.ended and not self._parser.requests)
        return received.keep_alive and received.body.complete and young and not ends

    def _end_answer(self, *, keep_alive: bool) -> None:
        self._answering = None
        self._served += 1
        if self._closing:
            return
        if not keep_alive:
            self._close()
            return
        self._context.table.touch(self)
        self.waits_since = self._loop.time()
        if self._parser.state is ParserState.BETWEEN:
            self._set_deadline()
        self._answer_next()

    def _end_pause(self) -> None:
        self._pausing = False
        self._answer_next()

    async def _stream(self, head: bytes, pieces: AsyncGenerator[bytes, None], *, chunked: bool) -> None:
        """Send a response piece by piece, until its end or the client's."""
        self._streaming = asyncio.current_task()
        try:
            self._write(head)
            async for piece in pieces:
                if self.is_lost:
                    return
                self._write(encode_piece(piece, chunked=chunked))
                if self._writable:
                    await self._writable
            self._write(encode_piece(b"", chunked=chunked))
        finally:
            self._streaming = None
            await pieces.aclose()

    def _write(self, data: bytes) -> None:
        if self._transport and not self._transport.is_closing():
            self._transport.write(data)

    def _reject(self, status: int, reason: CloseReason) -> None:
        """Answer what isn't a request, unless the response would be taken for another request's."""
        self._context.report(reason)
        self._parser.end()
        self.deadline = inf
        if not self._answering and not self._parser.requests:
            self._write(encode_rejection(status, self._context.date))
            self._close()

    def _stop_receiving(self) -> None:
        """Drop what was received and isn't being answered; nothing more is taken."""
        self._closing = True
        self._parser.requests.clear()
        self._parser.end()
        self._context.hold(self, 0)

    def _close(self) -> None:
        """Close the connection once the client has what was sent.

        As long as the client sends, it may not read; if it was hung up on, it might lose the last response.
        """
        self._stop_receiving()
        self.deadline = self._loop.time() + bounds.LINGER_TIMEOUT
        if self._transport is None:
            return
        if self._client_ended or self._parser.state is ParserState.BETWEEN:
            self._transport.close()
        elif self._transport.can_write_eof():
            with suppress(OSError):  # the client is gone
                self._transport.write_eof()
