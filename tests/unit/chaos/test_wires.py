"""The network of the chaos suite."""

import asyncio
import socket

import pytest

from tests.chaos.wires import LoadBalancer, Wire


@pytest.mark.parametrize("turns", range(6))
async def test_end_closes_connections_of_the_last_moment(turns: int) -> None:
    """A connection is closed, however far the event loop is with it when the server ends."""
    with socket.create_server(("127.0.0.1", 0)) as target:
        address = target.getsockname()
        async with Wire(address) as wire, LoadBalancer(lambda: [address]) as balancer:
            clients = [socket.create_connection(("127.0.0.1", server.port)) for server in (wire, balancer)]
            for _ in range(turns):
                await asyncio.sleep(0)
        for client in clients:
            with client:
                client.settimeout(0)
                await _read_end(client)


async def _read_end(client: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(5):
        try:
            assert await loop.sock_recv(client, 1) == b""
        except ConnectionError:
            return
