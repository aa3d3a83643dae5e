"""A connection that broke a moment ago is an error of its own kind, and none outlives its client."""

import asyncio
from typing import Any

import pytest
import uvloop
from aiokafka.client import AIOKafkaClient, ConnectionGroup
from aiokafka.conn import create_conn
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.metadata import MetadataRequest

from bridge.kafka.closed_connections import mend_closed_connections


@pytest.mark.parametrize("turns", range(4))
def test_request_on_a_connection_that_just_broke(kafka: str, turns: int) -> None:
    """Some turns of the event loop later, the client library would pass on a RuntimeError."""
    mend_closed_connections()

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


async def test_connection_made_while_its_client_closes(kafka: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A login takes a while; the client library would keep the connection, and nobody would close it."""
    mend_closed_connections()
    making, may_go_on = asyncio.Event(), asyncio.Event()

    async def make_slowly(*arguments: Any, **more: Any) -> Any:
        making.set()
        await may_go_on.wait()
        return await create_conn(*arguments, **more)

    client = AIOKafkaClient(bootstrap_servers=kafka)
    await client.bootstrap()
    (node,) = {broker.nodeId for broker in client.cluster.brokers()}
    monkeypatch.setattr("aiokafka.client.create_conn", make_slowly)
    task = asyncio.create_task(client._get_conn(node, group=ConnectionGroup.COORDINATION))  # noqa: SLF001
    await making.wait()
    await client.close()
    may_go_on.set()
    connection = await task
    assert connection is not None
    assert not connection.connected()
