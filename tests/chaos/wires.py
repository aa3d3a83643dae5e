"""The network: a wire from a bridge to a broker, which recognises commits, and a load balancer for callbacks."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any, Self

from tests.chaos.frames import END_TXN, MEMBERSHIP, RequestParser
from tests.support.kafka.proxy import Proxy
from tests.support.tcp_server import TcpServer

Address = tuple[str, int]


class Wire(Proxy):
    """A proxy to one broker that can also be slow or drop responses.

    Args:
        target: The broker's address.
    """

    def __init__(self, target: Address) -> None:
        super().__init__()
        self.target = target
        self.delay_seconds = 0.0
        """Added to everything that passes."""
        self.on_commit: Callable[[], bool] | None = None
        """Called when a commit request passes; returns whether to forward it to the broker."""
        self.drops_membership = False
        """Whether requests of members to the coordinators of their groups are lost, and no others."""
        self._responses = asyncio.Event()
        self._responses.set()

    def drop_responses(self) -> None:
        """Forward requests but no responses."""
        self._responses.clear()

    def cut(self) -> None:
        """Close all connections, and each new one at once."""
        self._responses.set()
        super().cut()

    def restore(self) -> None:
        """Let everything pass again."""
        self.delay_seconds, self.drops_membership = 0.0, False
        self._responses.set()
        super().restore()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if writer.is_closing():  # the client closed the connection while it was being opened
            raise ConnectionResetError
        to_broker, requests = writer.get_extra_info("peername") == self.target, RequestParser()
        while data := await reader.read(65_536):
            if self.delay_seconds:
                await asyncio.sleep(self.delay_seconds)
            await self._flows.wait()
            keys = set(requests.feed(data)) if to_broker else set()
            if not to_broker:
                await self._responses.wait()
            elif END_TXN in keys and self.on_commit and not self.on_commit():
                break
            if self.drops_membership and keys & MEMBERSHIP:
                continue
            writer.write(data)
            await writer.drain()
        raise ConnectionResetError


class LoadBalancer:
    """Forwards each connection to the next target that accepts it.

    Args:
        targets: Returns the targets' current addresses.
    """

    def __init__(self, targets: Callable[[], Sequence[Address]]) -> None:
        self._targets = targets
        self._next = 0
        self._server = TcpServer(self._forward)

    async def __aenter__(self) -> Self:
        await self._server.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._server.__aexit__()

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return self._server.port

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if target := await self._connect():
            target_reader, target_writer = target
            try:
                await _run_until_first(_copy(reader, target_writer), _copy(target_reader, writer))
            finally:
                target_writer.transport.abort()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        self._next += 1
        targets = self._targets()
        for number in range(len(targets)):
            with suppress(OSError):
                return await asyncio.open_connection(*targets[(self._next + number) % len(targets)])
        return None


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()


async def _run_until_first(*coroutines: Coroutine[Any, Any, None]) -> None:
    """Run them until the first ends, and cancel the others."""
    tasks = [asyncio.create_task(coroutine) for coroutine in coroutines]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
