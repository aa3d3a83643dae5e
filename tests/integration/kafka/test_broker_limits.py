"""What answers in a broker's place can't make this process take memory or time."""

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiokafka.conn import ScramAuthenticator, create_conn
from aiokafka.errors import KafkaConnectionError

from bridge.kafka.broker_limits import MAX_FRAME_BYTES, bound_answers
from tests.support.ports import HOST, find_free_ports


@asynccontextmanager
async def answer_with(data: bytes) -> AsyncIterator[int]:
    """Answer each connection with these bytes, and then with zeros for as long as they are read."""
    (port,) = find_free_ports(1)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(data)
        try:
            while not writer.is_closing():
                writer.write(bytes(65_536))
                await writer.drain()
        except ConnectionError:
            pass
        writer.close()

    async with await asyncio.start_server(answer, HOST, port):
        yield port


@pytest.mark.parametrize(
    "start",
    [struct.pack(">i", 2**31 - 1), struct.pack(">i", MAX_FRAME_BYTES + 1), struct.pack(">i", -1), b"HTTP/1.1 400"],
)
async def test_answers_that_are_too_large_end_the_connection(start: bytes) -> None:
    """As another protocol's are: their text, taken for a size, is more than a gigabyte."""
    bound_answers()
    async with answer_with(start) as port, asyncio.timeout(30):
        with pytest.raises(KafkaConnectionError):
            await create_conn(HOST, port, request_timeout_ms=20_000)


@pytest.mark.parametrize(
    ("iterations", "safe"), [(1, False), (4095, False), (4096, True), (16_384, True), (10**9, False)]
)
def test_scram_takes_neither_few_nor_endless_iterations(iterations: int, safe: bool) -> None:  # noqa: FBT001
    """A server chooses their number before the client knows who it is."""
    bound_answers()
    authenticator = ScramAuthenticator(
        loop=None, sasl_plain_username="user", sasl_plain_password="password", sasl_mechanism="SCRAM-SHA-256"
    )
    authenticator.first_message()
    message = f"r={authenticator._nonce}x,s=c2FsdA==,i={iterations}"  # noqa: SLF001 - as a server's answer has it
    if safe:
        authenticator.process_server_first_message(message)
        return
    with pytest.raises(KafkaConnectionError, match="isn't safe"):
        authenticator.process_server_first_message(message)
