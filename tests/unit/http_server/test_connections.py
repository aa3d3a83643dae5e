"""How long a client is waited for, and how it gets its response."""

import asyncio
import socket
import struct
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from bridge.http_server import bounds, listener
from bridge.http_server.connection_table import CloseReason, ConnectionLimits
from bridge.http_server.listener import Listener
from bridge.http_server.messages import MAX_BODY_BYTES, BodyTimeoutError, BodyTooLargeError, Request, Response
from tests.support.ports import find_free_ports
from tests.support.waiting import wait_until

LINGER_NONE = struct.pack("ii", 1, 0)
"""Close by a reset."""
HOST = "127.0.0.1"
GET = b"GET /%b HTTP/1.1\r\nhost: x\r\n\r\n"
LIMITS = ConnectionLimits(idle_timeout=60)


@pytest.fixture(autouse=True)
def look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at the deadlines more often than outside tests."""
    monkeypatch.setattr(listener, "SWEEP_INTERVAL", 0.02)


class Server:
    """A listener, and why it closed connections."""

    def __init__(self, handle: Callable[[Request], object] = lambda _: Response(200, b"fine")) -> None:
        (self.port,) = find_free_ports(1)
        self.closed: Counter[CloseReason] = Counter()
        self._handle = handle

    @asynccontextmanager
    async def running(self, limits: ConnectionLimits = LIMITS) -> AsyncIterator[Listener]:
        """Serve."""
        async with Listener(
            self._answer, HOST, self.port, setting="PORT", limits=limits, report=lambda why: self.closed.update([why])
        ) as made:
            yield made

    async def _answer(self, request: Request) -> Response:
        found = self._handle(request)
        return await found if asyncio.iscoroutine(found) else found  # type: ignore[return-value]

    async def connect(self, data: bytes = b"", source: str = HOST) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect from an address, and send these bytes."""
        reader, writer = await asyncio.open_connection(HOST, self.port, local_addr=(source, 0))
        writer.write(data)
        return reader, writer

    async def exchange(self, data: bytes) -> bytes:
        """Send these bytes; return all that is sent back until the connection is closed."""
        reader, writer = await self.connect(data)
        try:
            async with asyncio.timeout(30):
                return await reader.read()
        finally:
            writer.close()


def answer_to(error: type[Exception], status: int) -> Callable[[Request], object]:
    """Return a handler that expects an error of the body, and answers with this status."""

    async def handle(request: Request) -> Response:
        with pytest.raises(error):
            await request.body()
        return Response(status)

    return handle


@pytest.mark.parametrize("sent", [b"G", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nhost: x\r\na"])
async def test_a_slow_head_is_answered_408(monkeypatch: pytest.MonkeyPatch, sent: bytes) -> None:
    """From its first byte on."""
    monkeypatch.setattr(bounds, "HEAD_TIMEOUT", 0.1)
    server = Server()
    async with server.running():
        assert (await server.exchange(sent)).startswith(b"HTTP/1.1 408 ")
    assert server.closed == {CloseReason.SLOW_REQUEST: 1}


async def test_a_head_that_comes_byte_by_byte_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each byte is in time, the whole is not."""
    monkeypatch.setattr(bounds, "HEAD_TIMEOUT", 0.3)
    server = Server()
    async with server.running(), asyncio.timeout(30):
        reader, writer = await server.connect(b"GET / HTTP/1.1\r\na: ")
        while not reader.at_eof():
            writer.write(b"a")
            try:
                async with asyncio.timeout(0.02):
                    await reader.read()
            except TimeoutError:
                continue
        writer.close()


async def test_a_slow_body_is_the_handlers_to_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """It answers, and the connection ends, because the rest may still come."""
    monkeypatch.setattr(bounds, "BODY_TIMEOUT", 0.1)

    server = Server(answer_to(BodyTimeoutError, 408))
    async with server.running():
        answer = await server.exchange(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nabc")
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert b"connection: close" in answer
    assert server.closed[CloseReason.SLOW_REQUEST] == 1


async def test_an_idle_connection_is_kept_and_then_closed() -> None:
    """For as long as the setting says, from the last response on."""
    server = Server()
    async with server.running(ConnectionLimits(idle_timeout=0.4)):
        reader, writer = await server.connect()
        for _ in range(8):  # in all longer than the limit
            writer.write(GET % b"")
            assert (await reader.readuntil(b"fine")).startswith(b"HTTP/1.1 200 ")
            await asyncio.sleep(0.1)
        began = asyncio.get_running_loop().time()
        async with asyncio.timeout(30):
            assert await reader.read() == b""
        assert asyncio.get_running_loop().time() - began >= 0.2
        writer.close()
    assert not server.closed


async def test_clients_that_never_read_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """They can't make the process keep what it sends."""
    monkeypatch.setattr(bounds, "WRITE_TIMEOUT", 0.2)
    server = Server(lambda _: Response(200, b"x" * 1_000_000))
    async with server.running() as made:
        _, writer = await server.connect(GET % b"" * 30)
        await wait_until(
            lambda: asyncio.sleep(0, server.closed[CloseReason.SLOW_READER] == 1), 30, lambda: "it is still there"
        )
        await wait_until(lambda: asyncio.sleep(0, made.count_connections() == 0), 30, lambda: "it is still counted")
        writer.close()


async def test_a_stream_waits_for_its_reader() -> None:
    """No more is made than the client takes."""
    made_pieces = 0

    async def pieces() -> AsyncGenerator[bytes, None]:
        nonlocal made_pieces
        while True:
            made_pieces += 1
            yield b"x" * 100_000

    server = Server(lambda _: Response(200, stream=pieces()))
    async with server.running():
        reader, writer = await server.connect(GET % b"")
        await reader.readuntil(b"\r\n\r\n")
        seen = -1
        async with asyncio.timeout(30):
            while seen != made_pieces:
                seen = made_pieces
                await asyncio.sleep(0.3)
        assert made_pieces < 500
        writer.transport.abort()


async def test_a_large_body_is_answered_while_it_is_being_sent() -> None:
    """A client that sends first and reads then gets its response."""
    server = Server(answer_to(BodyTooLargeError, 413))
    async with server.running():
        reader, writer = await server.connect(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 700000\r\n\r\n")
        for _ in range(70):
            writer.write(b"x" * 10_000)
            await writer.drain()
        assert (await reader.readline()).startswith(b"HTTP/1.1 413 ")
        writer.close()


async def test_a_body_that_nobody_reads_costs_a_bounded_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is neither wanted nor ends is cut."""
    monkeypatch.setattr(bounds, "LINGER_TIMEOUT", 0.2)
    server = Server(lambda _: Response(404))
    async with server.running() as made:
        reader, writer = await server.connect(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 404 ")
        await wait_until(lambda: asyncio.sleep(0, made.count_connections() == 0), 30, lambda: "it is still there")
        writer.close()


async def test_clients_that_wait_are_told_to_send() -> None:
    """`Expect: 100-continue`, but only if the body is wanted."""

    async def handle(request: Request) -> Response:
        return Response(200, await request.body() if request.path == "/wanted" else b"")

    head = b"POST /%b HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 3\r\n\r\n"
    server = Server(handle)
    async with server.running():
        reader, writer = await server.connect(head % b"wanted")
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"abc")
        assert (await reader.readuntil(b"abc")).startswith(b"HTTP/1.1 200 ")
        writer.close()
        assert (await server.exchange(head % b"other")).startswith(b"HTTP/1.1 200 ")


async def test_pipelined_requests_are_answered_in_order() -> None:
    """However long each takes."""

    async def handle(request: Request) -> Response:
        await asyncio.sleep(0.05 if request.path == "/0" else 0)
        return Response(200, request.path.encode())

    server = Server(handle)
    async with server.running():
        data = b"".join(GET % b"%d" % number for number in range(5))
        answer = await server.exchange(data.replace(b"/4 HTTP/1.1", b"/4 HTTP/1.0"))
    assert [part[-2:] for part in answer.split(b"HTTP/1.1 200 OK")[1:]] == [b"/%d" % number for number in range(5)]


@pytest.mark.parametrize(
    ("request_head", "keeps"),
    [
        (b"GET / HTTP/1.1\r\nhost: x\r\n\r\n", True),
        (b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n", False),
        (b"GET / HTTP/1.0\r\n\r\n", False),
        (b"GET / HTTP/1.0\r\nconnection: keep-alive\r\n\r\n", True),
    ],
)
async def test_a_connection_is_kept_as_its_client_wants(request_head: bytes, keeps: bool) -> None:  # noqa: FBT001
    """And says so, where the version's default is the other."""
    server = Server()
    async with server.running():
        reader, writer = await server.connect(request_head)
        head = await reader.readuntil(b"\r\n\r\n")
        assert (b"connection: close" in head) is not keeps
        assert (b"connection: keep-alive" in head) is (keeps and b"1.0" in request_head)
        await reader.readexactly(4)
        writer.write(request_head)
        async with asyncio.timeout(30):
            assert bool(await reader.read(1)) is keeps
        writer.close()


async def test_old_and_busy_connections_end_with_a_response(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that new processes get their share."""
    for name, limit in (("MAX_REQUESTS", 0), ("MAX_AGE", 0.0)):
        with monkeypatch.context() as patched:
            patched.setattr(bounds, name, limit)
            server = Server()
            async with server.running():
                assert b"connection: close" in await server.exchange(GET % b"")


async def test_a_body_larger_than_allowed_ends_the_connection() -> None:
    """Nobody knows where the next request begins."""

    async def handle(request: Request) -> Response:
        try:
            return Response(200, b"%d" % len(await request.body()))
        except BodyTooLargeError:
            return Response(413)

    server = Server(handle)
    async with server.running():
        head = b"POST / HTTP/1.0\r\ncontent-length: %d\r\n\r\n"
        assert (await server.exchange(head % MAX_BODY_BYTES + b"x" * MAX_BODY_BYTES)).endswith(b"%d" % MAX_BODY_BYTES)
        assert (await server.exchange(head % (MAX_BODY_BYTES + 1) + b"x" * (MAX_BODY_BYTES + 1))).startswith(
            b"HTTP/1.1 413 "
        )


async def test_requests_in_progress_are_finished_when_it_stops() -> None:
    """New connections are refused meanwhile, and idle ones closed."""
    received, gate = asyncio.Event(), asyncio.Event()

    async def handle(_: Request) -> Response:
        received.set()
        await gate.wait()
        return Response(200, b"fine")

    server = Server(handle)
    async with server.running():
        idle, idle_writer = await server.connect()
        reader, writer = await server.connect(GET % b"")
        await received.wait()
        asyncio.get_running_loop().call_later(0.1, gate.set)
    assert await idle.read() == b""
    assert (await reader.read()).endswith(b"fine")
    writer.close()
    idle_writer.close()
    with pytest.raises(OSError, match=r"Connect call failed|refused"):
        await server.connect()


async def test_a_handlers_error_is_a_500_and_no_more() -> None:
    """The next request is answered."""

    def handle(request: Request) -> Response:
        if request.path == "/bad":
            raise ValueError
        return Response(200, b"fine")

    server = Server(handle)
    async with server.running():
        reader, writer = await server.connect(GET % b"bad" + GET % b"")
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 500 ")
        assert (await reader.readuntil(b"fine")).startswith(b"HTTP/1.1 200 ")
        writer.close()


async def test_strangers_are_slowed_down(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a number of refusals in a row, but not for good, and not a proxy that many share."""
    monkeypatch.setattr(bounds, "MAX_STRANGE", 3)
    monkeypatch.setattr(bounds, "STRANGERS_PAUSE", 0.2)
    server = Server(lambda request: Response(200 if request.path == "/right" else 404, b"fine"))
    loop = asyncio.get_running_loop()

    async def measure(*paths: bytes) -> float:
        began = loop.time()
        reader, writer = await server.connect()
        for path in paths:
            writer.write(GET % path)
            await reader.readuntil(b"fine")
        writer.close()
        return loop.time() - began

    async with server.running():
        assert await measure(*[b"wrong"] * 6) >= 0.4
        assert await measure(*[b"wrong", b"wrong", b"right"] * 4) < 0.4
    async with server.running(LIMITS._replace(is_proxy=lambda peer: peer == HOST)):
        assert await measure(*[b"wrong"] * 20) < 0.4


async def test_what_incomplete_bodies_hold_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond, they are dropped; complete ones and small ones go through."""
    monkeypatch.setattr(bounds, "MAX_HELD_BYTES", 1_000_000)

    async def handle(request: Request) -> Response:
        return Response(200, b"%d" % len(await request.body()))

    server = Server(handle)
    head = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 200001\r\n\r\n"
    async with server.running() as made:
        clients = [await server.connect(head + b"x" * 200_000) for _ in range(20)]
        await wait_until(
            lambda: asyncio.sleep(0, made.count_connections() == 5), 30, lambda: f"{made.count_connections()}"
        )
        assert server.closed == {CloseReason.EVICTED: 15}
        last = b"POST / HTTP/1.0\r\ncontent-length: 2\r\n\r\nhi"
        assert (await server.exchange(last)).endswith(b"2")
        for _, writer in clients:
            writer.transport.abort()
        await wait_until(lambda: asyncio.sleep(0, made.count_connections() == 0), 30, lambda: "they are still there")
        assert (await server.exchange(head.replace(b"1.1", b"1.0") + b"x" * 200_001)).endswith(b"200001")


async def test_a_body_that_nobody_wants_is_not_held(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its connection lingers, its bytes don't: others would be closed for them."""
    monkeypatch.setattr(bounds, "MAX_HELD_BYTES", 1_000_000)
    server = Server(lambda _: Response(404))
    head = b"POST /none HTTP/1.1\r\nhost: x\r\ncontent-length: 200001\r\n\r\n"
    async with server.running():
        clients = [await server.connect(head + b"x" * 200_000) for _ in range(20)]
        for reader, _ in clients:
            assert (await reader.readline()).startswith(b"HTTP/1.1 404 ")
        assert not server.closed
        for _, writer in clients:
            writer.transport.abort()


async def test_a_reload_or_stop_loses_no_request_that_is_on_its_way() -> None:
    """A connection ends with its next response, not before."""
    server, whole = Server(), GET % b""
    async with server.running() as made:
        reader, writer = await server.connect(whole[:9])
        await wait_until(lambda: asyncio.sleep(0, made.count_connections() == 1), 30, lambda: "it isn't accepted")
        await made.reload()
        await asyncio.sleep(0.1)
        writer.write(whole[9:])
        assert b"connection: close" in await reader.readuntil(b"\r\n\r\n")
        writer.close()
        reader, writer = await server.connect(whole[:9])
        await wait_until(lambda: asyncio.sleep(0, made.count_connections() == 1), 30, lambda: "it isn't accepted")
        asyncio.get_running_loop().call_later(0.05, writer.write, whole[9:])
    assert (await reader.read()).endswith(b"fine")
    writer.close()


async def test_a_stream_does_not_begin_without_a_client() -> None:
    """A client that has gone while its first request was answered gets no second answer."""
    begun = 0

    async def pieces() -> AsyncGenerator[bytes, None]:
        nonlocal begun
        begun += 1
        while True:
            yield b"data"
            await asyncio.sleep(0.01)

    async def handle(request: Request) -> Response:
        await asyncio.sleep(0.1)
        return Response(200, stream=pieces()) if request.path == "/stream" else Response(200, b"fine")

    server = Server(handle)
    async with server.running() as made:
        for _ in range(5):
            _, writer = await server.connect(GET % b"" + GET % b"stream")
            await writer.drain()
            await asyncio.sleep(0.02)
            writer.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NONE)
            writer.transport.abort()
        await wait_until(lambda: asyncio.sleep(0, made.count_connections() == 0), 30, lambda: "it is still there")
        began = asyncio.get_running_loop().time()
    assert asyncio.get_running_loop().time() - began < 5


async def test_newcomers_are_served_while_all_are_being_answered() -> None:
    """A client that asks without end, and sends further requests meanwhile, makes room like one that waits."""
    server = Server()
    limits = ConnectionLimits(max_connections=8, max_per_peer=8)

    async def ask_without_end() -> None:
        while True:
            reader, writer = await server.connect(GET % b"" * 32, "127.0.0.2")
            try:
                while data := await reader.read(100_000):
                    writer.write(GET % b"" * data.count(b"fine"))
            except ConnectionError:
                pass
            finally:
                writer.transport.abort()

    async with server.running(limits):
        tasks = [asyncio.create_task(ask_without_end()) for _ in range(12)]
        await asyncio.sleep(0.2)
        answers = [await server.exchange(GET.replace(b"1.1", b"1.0") % b"") for _ in range(20)]
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    assert all(answer.endswith(b"fine") for answer in answers)
