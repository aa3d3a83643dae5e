"""The network: a wire from a bridge to a broker, which can tell a commit, and a balancer before all bridges."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any, Self

from tests.chaos.frames import END_TXN, Frames
from tests.support.kafka.proxy import Proxy

Address = tuple[str, int]


class Wire(Proxy):
    """A wire that can also be slow, or carry requests and no answers.

    Args:
        target: Where it leads.
    """

    def __init__(self, target: Address) -> None:
        super().__init__()
        self.target = target
        self.lag = 0.0
        """Seconds that whatever comes through takes longer."""
        self.on_commit: Callable[[], bool] | None = None
        """Called when a transaction's commit is asked for; whether the broker may hear it."""
        self._answers = asyncio.Event()
        self._answers.set()

    def open_half(self) -> None:
        """Requests arrive, and no answer comes back."""
        self._answers.clear()

    def cut(self) -> None:
        """Close every connection, and each new one at once."""
        self._answers.set()
        super().cut()

    def mend(self) -> None:
        """Let everything through again, at once."""
        self.lag = 0.0
        self._answers.set()
        super().mend()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if writer.is_closing():  # the other end has gone before this one was there
            raise ConnectionResetError
        upward, frames = writer.get_extra_info("peername") == self.target, Frames()
        while data := await reader.read(65_536):
            if self.lag:
                await asyncio.sleep(self.lag)
            await self._flows.wait()
            if not upward:
                await self._answers.wait()
            elif END_TXN in list(frames.feed(data)) and self.on_commit and not self.on_commit():
                break
            writer.write(data)
            await writer.drain()
        raise ConnectionResetError


class Balancer:
    """One address before several: each connection goes to the next one that takes it.

    Args:
        targets: Where connections may go, at the time.
    """

    def __init__(self, targets: Callable[[], Sequence[Address]]) -> None:
        self._targets = targets
        self._turn = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        try:
            if ends := await self._connect():
                there, here = ends
                try:
                    await _either(_carry(reader, here), _carry(there, writer))
                finally:
                    here.transport.abort()
        finally:
            writer.transport.abort()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        self._turn += 1
        targets = self._targets()
        for number in range(len(targets)):
            with suppress(OSError):
                return await asyncio.open_connection(*targets[(self._turn + number) % len(targets)])
        return None


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()


async def _either(*ways: Coroutine[Any, Any, None]) -> None:
    """Return when one of them has ended; the other is ended too."""
    tasks = [asyncio.create_task(way) for way in ways]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
