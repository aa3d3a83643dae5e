"""A broker that tells which requests it offers, and nothing else."""

import asyncio
import struct
from collections.abc import Mapping

from aiokafka.protocol.admin import ApiVersionResponse_v0
from aiokafka.protocol.metadata import MetadataResponse_v1

from tests.support.tcp_server import TcpServer

API_VERSIONS, METADATA = 18, 3
ANSWERED = {API_VERSIONS: (0, 0), METADATA: (0, 1)}
"""The versions in which it answers."""


class OldBroker:
    """Answers ApiVersions and Metadata, over TCP. Any other request ends the connection.

    Args:
        versions: The lowest and highest version of each request that it offers, by the request's number.
    """

    def __init__(self, versions: Mapping[int, tuple[int, int]]) -> None:
        offered = {**versions, **ANSWERED}
        self._versions = [(api_key, lowest, highest) for api_key, (lowest, highest) in offered.items()]
        self.server = TcpServer(self._serve)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            try:
                [size] = struct.unpack(">i", await reader.readexactly(4))
                request = await reader.readexactly(size)
            except (asyncio.IncompleteReadError, ConnectionError):
                return
            api_key, version, correlation_id = struct.unpack(">hhi", request[:8])
            if (api_key, version) == (API_VERSIONS, 0):
                body = ApiVersionResponse_v0(0, self._versions).encode()
            elif (api_key, version) == (METADATA, 1):
                body = MetadataResponse_v1([(1, "127.0.0.1", self.server.port, None)], 1, []).encode()
            else:
                return
            writer.write(struct.pack(">ii", 4 + len(body), correlation_id) + body)
            await writer.drain()
