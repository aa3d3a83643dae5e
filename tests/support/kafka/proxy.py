"""A TCP proxy between clients and a broker that advertises its address: cut it, freeze it, restore it."""

import asyncio
from contextlib import suppress
from typing import Self

from tests.support.tcp_server import TcpServer


class Proxy:
    """Listens on `proxy.port`; set `proxy.target` when the broker's port is known."""

    def __init__(self) -> None:
        self.target = ("127.0.0.1", 0)
        self.port = 0
        self._flows = asyncio.Event()
        self._flows.set()
        self._cut = False
        self._writers: set[asyncio.StreamWriter] = set()
        self._server = TcpServer(self._serve)

    async def __aenter__(self) -> Self:
        await self._server.__aenter__()
        self.port = self._server.port
        return self

    async def __aexit__(self, *_: object) -> None:
        self.cut()
        await self._server.__aexit__()

    def cut(self) -> None:
        """Close all connections, and each new one at once."""
        self._cut = True
        self._flows.set()
        for writer in tuple(self._writers):
            writer.transport.abort()

    def freeze(self) -> None:
        """Keep connections open but forward nothing, like a network that drops packets."""
        self._flows.clear()

    def restore(self) -> None:
        """Forward everything again."""
        self._cut = False
        self._flows.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._cut:
            return
        with suppress(OSError):
            broker_reader, broker_writer = await asyncio.open_connection(*self.target)
            ends = {writer, broker_writer}
            self._writers |= ends
            try:
                if not self._cut:
                    await asyncio.gather(self._pump(reader, broker_writer), self._pump(broker_reader, writer))
            finally:
                broker_writer.transport.abort()
                self._writers -= ends

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            await self._flows.wait()
            writer.write(data)
            await writer.drain()
        raise ConnectionResetError
