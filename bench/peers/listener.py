"""The bridge's HTTP listener, which answers every request without Kafka: the receiver's upper limit."""

import asyncio
import sys

import uvloop

from bridge.http_server.listener import Listener
from bridge.http_server.messages import Request, Response

ANSWER = Response(200, b"OK")


async def serve(address: str) -> None:
    """Answer forever."""

    async def answer(_request: Request) -> Response:
        return ANSWER

    host, _, port = address.partition(":")
    async with Listener(answer, host, int(port), setting="the address"):
        await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(serve(sys.argv[3]))
