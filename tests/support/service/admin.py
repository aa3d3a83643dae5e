"""The admin listener from the point of view of a browser."""

import json
import socket
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from tests.support.service.bridge import Bridge

TOKEN = "the-admin-token-of-the-page-0123"


def elsewhere(bridge: Bridge) -> str:
    """Return the admin listener's URL with a non-loopback address, as seen by another machine."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing; it only selects a local address
        except OSError:
            pytest.skip("this machine has no address but loopback ones")
        address = str(probe.getsockname()[0])
    if address.startswith("127."):
        pytest.skip("this machine has no address but loopback ones")
    return f"http://{address}:{bridge.service.admin_url.rpartition(':')[2]}"


async def events(response: aiohttp.ClientResponse) -> AsyncIterator[dict[str, Any]]:
    """Yield the events of a stream."""
    async for line in response.content:
        if line.startswith(b"data: ") and b'"events"' in line:
            for event in json.loads(line[6:])["events"]:
                yield event
