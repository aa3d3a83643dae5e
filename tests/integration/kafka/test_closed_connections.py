"""A connection that broke a moment ago is a connection error, on the event loop that the service runs on."""

import asyncio

import pytest
import uvloop
from aiokafka.conn import create_conn
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.metadata import MetadataRequest

from bridge.kafka.closed_connections import report_closed_connections


@pytest.mark.parametrize("turns", range(4))
def test_request_on_a_connection_that_just_broke(kafka: str, turns: int) -> None:
    """Some turns of the event loop later, the client library would pass on a RuntimeError."""
    report_closed_connections()

    async def send() -> None:
        host, _, port = kafka.partition(":")
        connection = await create_conn(host, int(port))
        connection._writer.transport.abort()  # noqa: SLF001 - as if the network had broken it
        for _ in range(turns):
            await asyncio.sleep(0)
        with pytest.raises(KafkaConnectionError):
            await connection.send(MetadataRequest([]))

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(send())
