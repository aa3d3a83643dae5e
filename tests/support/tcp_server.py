"""A TCP server of the tests that leaves no connection behind."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Self


class TcpServer:
    """Serves each connection by a coroutine. Its end cancels them and aborts every connection.

    It accepts by itself, because an `asyncio.Server` that closes while it accepts loses that connection open (Python
    issue 109564).

    Args:
        serve: The coroutine. Its connection is aborted when it ends.
    """

    def __init__(self, serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]) -> None:
        self.port = 0
        self._serve = serve
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(0)
        self.port = self._listener.getsockname()[1]
        asyncio.get_running_loop().add_reader(self._listener, self._accept)
        return self

    async def __aexit__(self, *_: object) -> None:
        asyncio.get_running_loop().remove_reader(self._listener)
        self._listener.close()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        await asyncio.sleep(0)  # an aborted connection is closed by the event loop's next turn

    def _accept(self) -> None:
        with suppress(BlockingIOError, ConnectionError):
            connection, _ = self._listener.accept()
            connection.settimeout(0)
            task = asyncio.create_task(self._handle(connection))
            self._tasks.add(task)
            task.add_done_callback(lambda ended: self._close(ended, connection))

    async def _handle(self, connection: socket.socket) -> None:
        reader, writer = await asyncio.open_connection(sock=connection)
        try:
            await self._serve(reader, writer)
        finally:
            writer.transport.abort()

    def _close(self, task: asyncio.Task[None], connection: socket.socket) -> None:
        self._tasks.discard(task)
        connection.close()
        if not task.cancelled():
            task.result()
