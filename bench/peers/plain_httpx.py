"""The poller's requests with plain httpx."""

import asyncio
import sys
import time
from itertools import count

import httpx
import orjson
import uvloop


async def poll(url: str, token: str, connections: int, polls: int) -> None:
    """Poll, and print the rate and the CPU time per poll."""
    numbers = count()
    limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
    async with httpx.AsyncClient(limits=limits, headers={"token": token}) as client:

        async def worker() -> None:
            while (number := next(numbers)) < polls:
                response = await client.get(f"{url}/dlr/{number:032x}")
                orjson.loads(response.content)

        started, used = time.monotonic(), time.process_time()
        await asyncio.gather(*(worker() for _ in range(connections)))
        seconds, cpu = time.monotonic() - started, time.process_time() - used
    sys.stdout.write(f"done {polls / seconds} {cpu / polls * 1e6}\n")


if __name__ == "__main__":
    uvloop.run(poll(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
