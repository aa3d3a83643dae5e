"""Mends what the client library does with connections that are closed, or should be.

Between a connection's end and the moment that its owner is told, uvloop answers a write with a RuntimeError, where
asyncio drops it. The library expects an OSError, and would pass the error on as if it were a fault of the caller's.

A client that is closed while it makes a connection, which takes a while with a login, keeps the connection open.
"""

from typing import Any

from aiokafka.client import AIOKafkaClient
from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.errors import KafkaConnectionError

_send = AIOKafkaConnection.send
_close = AIOKafkaClient.close


def mend_closed_connections() -> None:
    """Change the client library, for the whole process."""
    AIOKafkaConnection.send = _send_or_fail
    AIOKafkaClient.close = _close_for_good


def _send_or_fail(connection: AIOKafkaConnection, request: Any, expect_response: bool = True) -> Any:  # noqa: FBT001, FBT002 - as the library has it
    try:
        return _send(connection, request, expect_response)
    except RuntimeError as error:
        connection.close(reason=CloseReason.CONNECTION_BROKEN)
        raise KafkaConnectionError(f"Connection at {connection.host}:{connection.port} broken: {error}") from error


class _ClosedConnections(dict[Any, AIOKafkaConnection]):
    """The connections of a closed client."""

    def __setitem__(self, name: Any, connection: AIOKafkaConnection) -> None:
        connection.close(reason=CloseReason.SHUTDOWN)
        super().__setitem__(name, connection)


async def _close_for_good(client: AIOKafkaClient) -> None:
    connections, client._conns = client._conns, _ClosedConnections(client._conns)  # noqa: SLF001
    await _close(client)
    connections.clear()
