"""Many connections that do a server no good: `python -m tests.support.attacks.hostile KIND HOST PORT COUNT SPREAD`.

Each one that is closed is opened again. Prints `ready` once all were tried, and goes on until its input ends.
"""

import asyncio
import random
import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress

import uvloop

CONNECT_TIMEOUT = 5.0
REOPEN_PAUSE = 0.5
MAX_SECONDS = 120.0
"""For which it goes on at most, whatever happens to its parent."""

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Ask for what isn't there, now and then."""
    while True:
        writer.write(b"GET /none HTTP/1.1\r\nhost: x\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(len(b"not found"))
        await asyncio.sleep(3)


async def stay_silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    """Send nothing."""
    await reader.read()


async def trickle_head(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send a head that never ends."""
    writer.write(b"GET / HTTP/1.1\r\nhost: x\r\na: ")
    while True:
        await asyncio.sleep(1)
        writer.write(b"a")
        await writer.drain()


async def trickle_body(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send a body that never ends, to a route that needs a secret."""
    writer.write(b"POST /dlr/dexatel/guess HTTP/1.1\r\nhost: x\r\ncontent-length: 200000\r\n\r\n")
    while True:
        writer.write(b"a" * 100)
        await writer.drain()
        await asyncio.sleep(1)


async def never_read(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send requests, and let the answers pile up."""
    reader._transport.pause_reading()  # type: ignore[attr-defined]  # noqa: SLF001 - there is no other way
    while True:
        writer.write(b"GET /none HTTP/1.1\r\nhost: x\r\n\r\n" * 20)
        await writer.drain()
        await asyncio.sleep(1)


async def talk_nonsense(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send what isn't HTTP."""
    writer.write(b"\x16\x03\x01" + random.randbytes(200))
    await reader.read()


async def guess(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Guess secrets, one after the other."""
    while True:
        secret = random.randbytes(12).hex()
        writer.write(b"GET /dlr/dexatel/%b?id=1&status=sent HTTP/1.1\r\nhost: x\r\n\r\n" % secret.encode())
        await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(len(b"not found"))
        await asyncio.sleep(0.2)


KINDS: Mapping[str, Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]] = {
    "ask": ask,
    "stay_silent": stay_silent,
    "trickle_head": trickle_head,
    "trickle_body": trickle_body,
    "never_read": never_read,
    "talk_nonsense": talk_nonsense,
    "guess": guess,
}


def set_done(future: asyncio.Future[None]) -> None:
    """Note that something was done once."""
    if not future.done():
        future.set_result(None)


async def attack(kind: str, host: str, port: int, count: int, spread: str) -> None:
    """Keep so many connections open, from one address or from as many."""
    loop = asyncio.get_running_loop()
    tried = [loop.create_future() for _ in range(count)]

    async def keep_open(number: int) -> None:
        source = (
            f"127.{1 + number // 62500}.{number // 250 % 250}.{1 + number % 250}" if spread == "many" else "127.0.0.2"
        )
        await asyncio.sleep(number / 2000)
        while True:
            with suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
                async with asyncio.timeout(CONNECT_TIMEOUT):
                    reader, writer = await asyncio.open_connection(host, port, local_addr=(source, 0))
                try:
                    set_done(tried[number])
                    await KINDS[kind](reader, writer)
                finally:
                    writer.transport.abort()
            set_done(tried[number])
            await asyncio.sleep(REOPEN_PAUSE)

    tasks = [asyncio.create_task(keep_open(number)) for number in range(count)]
    await asyncio.wait(tried)
    print("ready", flush=True)  # noqa: T201 - its parent reads it
    ended = loop.run_in_executor(None, sys.stdin.read)
    await asyncio.wait([ended], timeout=MAX_SECONDS)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


if __name__ == "__main__":
    kind, host, port, count, spread = sys.argv[1:]
    uvloop.run(attack(kind, host, int(port), int(count), spread))
