"""A process that has no file descriptor left for another connection."""

import asyncio
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

from tests.support.paths import ROOT
from tests.support.ports import find_free_ports
from tests.support.waiting import wait_until

LIMIT, CLIENTS = 60, 80
SERVER = """
import asyncio, resource, sys
from bridge.http_server.listener import Listener
from bridge.http_server.messages import Response
resource.setrlimit(resource.RLIMIT_NOFILE, (%d, %d))
async def main():
    async def handle(_):
        return Response(200, b"fine")
    async with Listener(handle, "127.0.0.1", int(sys.argv[1]), setting="PORT"):
        print("ready", flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
asyncio.run(main())
"""


async def ask(port: int) -> bytes:
    """Ask over a new connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
    try:
        return await reader.read()
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


def read_cpu_ticks(process_id: int) -> int:
    """Return the processor time that a process has used, in hundredths of a second."""
    fields = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


async def test_requests_are_answered_when_descriptors_run_out() -> None:
    """A connection that waits makes room, and trying again takes no processor time."""
    (port,) = find_free_ports(1)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SERVER % (LIMIT, LIMIT), str(port), stdin=PIPE, stdout=PIPE, cwd=ROOT
    )
    assert process.stdin
    assert process.stdout
    try:
        assert await process.stdout.readline() == b"ready\n"
        silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(CLIENTS)]
        before = read_cpu_ticks(process.pid)
        await asyncio.sleep(2)
        assert read_cpu_ticks(process.pid) - before < 100

        async def is_answered() -> bool:
            return b"fine" in await ask(port)

        await wait_until(is_answered, 60, lambda: "no request is answered")
        for _, writer in silent:
            writer.close()
    finally:
        process.stdin.close()
        await process.wait()
