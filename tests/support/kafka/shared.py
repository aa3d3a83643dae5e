"""One Kafka for all workers of a run; the controlling process starts it when a worker first requests it."""

import asyncio
import json
import socket
from asyncio import StreamReader, StreamWriter
from contextlib import AsyncExitStack
from threading import Thread

from bridge.sandbox.kafka.broker import sandbox
from bridge.sandbox.kafka.installation import SandboxError


class SharedKafka:
    """Tells workers the address of the run's Kafka, on its own port and in its own thread."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._loop = asyncio.new_event_loop()
        self._stopped = asyncio.Event()
        self._thread = Thread(target=self._loop.run_until_complete, args=(self._serve(),), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop the Kafka if it was started."""
        self._loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join()
        self._loop.close()

    async def _serve(self) -> None:
        async with AsyncExitStack() as kafka:
            starting, found = asyncio.Lock(), dict[str, str]()

            async def answer(_: StreamReader, writer: StreamWriter) -> None:
                async with starting:
                    if not found:
                        try:
                            found["bootstrap_servers"] = await kafka.enter_async_context(sandbox())
                        except SandboxError as failure:
                            found["failure"] = str(failure)
                writer.write(json.dumps(found).encode())
                writer.close()
                await writer.wait_closed()

            async with await asyncio.start_server(answer, sock=self._listener):
                await self._stopped.wait()


async def ask_for_kafka(port: int) -> str:
    """Return the bootstrap servers of the run's Kafka.

    Raises:
        SandboxError: It doesn't start.
    """
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    found = json.loads(await reader.read())
    writer.close()
    await writer.wait_closed()
    if "failure" in found:
        raise SandboxError(found["failure"])
    return str(found["bootstrap_servers"])
