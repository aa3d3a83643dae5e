"""What a handler gets of a request, from a real server."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

import pytest
import structlog

from bridge.http_server.listener import Listener
from bridge.http_server.messages import (
    MAX_BODY_BYTES,
    BodyIncompleteError,
    BodyTimeoutError,
    BodyTooLargeError,
    Request,
    Response,
)
from tests.support.ports import find_free_ports

HOST = "127.0.0.1"
BODY = b"message_uuid=1234567890&status=delivered"
CHUNKS = [BODY[:23], BODY[23:24], BODY[24:]]
SIZED = b"POST /dlr HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n%b" % (len(BODY), BODY)
CHUNKED = (
    b"POST /dlr HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
    + b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in CHUNKS)
    + b"0\r\n\r\n"
)


class Recorder:
    """A handler that reads bodies, and remembers each or the error instead."""

    def __init__(self) -> None:
        self.bodies: asyncio.Queue[bytes | Exception] = asyncio.Queue()

    async def handle(self, request: Request) -> Response:
        """Read the body."""
        try:
            body: bytes | Exception = await request.body()
        except (BodyIncompleteError, BodyTimeoutError, BodyTooLargeError) as error:
            body = error
        self.bodies.put_nowait(body)
        return Response(400 if isinstance(body, Exception) else 200)


@asynccontextmanager
async def listen(recorder: Recorder) -> AsyncIterator[int]:
    """Serve, and yield the port."""
    (port,) = find_free_ports(1)
    async with Listener(recorder.handle, HOST, port, setting="PORT"):
        yield port


async def hang_up(port: int, data: bytes, *, half_close: bool) -> None:
    """Send these bytes, and end the connection, or only this side of it."""
    reader, writer = await asyncio.open_connection(HOST, port)
    writer.write(data)
    await writer.drain()
    if half_close:
        writer.write_eof()
        await reader.read()
    writer.close()


async def request(port: int, data: bytes) -> None:
    """Send these bytes, and wait for the response."""
    reader, writer = await asyncio.open_connection(HOST, port)
    writer.write(data)
    await reader.readuntil(b"\r\n\r\n")
    writer.close()


@pytest.mark.parametrize("half_close", [False, True], ids=["closed", "half closed"])
@pytest.mark.parametrize("whole", [SIZED, CHUNKED], ids=["sized", "chunked"])
async def test_a_body_that_is_cut_anywhere_is_incomplete(whole: bytes, half_close: bool) -> None:  # noqa: FBT001
    """Wherever a sender hangs up, a part is never taken for the whole, and is no error in the log."""
    recorder = Recorder()
    head = whole.index(b"\r\n\r\n") + 4
    with structlog.testing.capture_logs() as lines:
        async with listen(recorder) as port:
            for cut in range(head, len(whole)):
                await hang_up(port, whole[:cut], half_close=half_close)
            await request(port, whole)
            found = [await asyncio.wait_for(recorder.bodies.get(), 30)]
            while not isinstance(found[-1], bytes):
                found.append(await asyncio.wait_for(recorder.bodies.get(), 30))
    assert found[-1] == BODY
    assert all(isinstance(one, BodyIncompleteError) for one in found[:-1])
    assert not lines


@pytest.mark.parametrize("junk", [b"zz\r\n", b"-1\r\n", b"5\r\nhelloX", b"ffffffffffffffffff\r\n"])
async def test_wrong_chunks_are_incomplete(junk: bytes) -> None:
    """A body whose framing is wrong isn't taken up to there."""
    recorder = Recorder()
    async with listen(recorder) as port:
        await request(port, CHUNKED[: -len(b"0\r\n\r\n")] + junk)
        assert isinstance(await asyncio.wait_for(recorder.bodies.get(), 30), BodyIncompleteError)


async def test_too_large_chunked_bodies_are_refused() -> None:
    """A chunked body is bounded like any other."""
    recorder = Recorder()
    head, chunk = CHUNKED[: CHUNKED.index(b"\r\n\r\n") + 4], b"%x\r\n%b\r\n" % (MAX_BODY_BYTES, b"x" * MAX_BODY_BYTES)
    async with listen(recorder) as port:
        await request(port, head + chunk + b"0\r\n\r\n")
        assert await asyncio.wait_for(recorder.bodies.get(), 30) == b"x" * MAX_BODY_BYTES
        await request(port, head + chunk + b"1\r\nx\r\n0\r\n\r\n")
        assert isinstance(await asyncio.wait_for(recorder.bodies.get(), 30), BodyTooLargeError)


async def test_streams_end_when_the_client_leaves() -> None:
    """A stream is closed soon after its client is gone."""
    closed, (port,) = asyncio.Event(), find_free_ports(1)

    async def pieces() -> AsyncGenerator[bytes, None]:
        try:
            while True:
                yield b"data\n\n"
                await asyncio.sleep(0.01)
        finally:
            closed.set()

    async def handle(_: Request) -> Response:
        return Response(200, stream=pieces())

    async with Listener(handle, HOST, port, setting="PORT"):
        reader, writer = await asyncio.open_connection(HOST, port)
        writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        assert b"200" in await reader.readline()
        writer.close()
        await asyncio.wait_for(closed.wait(), 30)
