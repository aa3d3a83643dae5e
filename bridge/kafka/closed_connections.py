"""Makes the client library report a broken connection as such, on uvloop, too.

Between a connection's end and the moment that its owner is told, uvloop answers a write with a RuntimeError, where
asyncio drops it. The library expects an OSError, and would pass the error on as if it were a fault of the caller's.
"""

from typing import Any

from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.errors import KafkaConnectionError

_send = AIOKafkaConnection.send


def report_closed_connections() -> None:
    """Change the client library, for the whole process."""
    AIOKafkaConnection.send = _send_or_fail


def _send_or_fail(connection: AIOKafkaConnection, request: Any, expect_response: bool = True) -> Any:  # noqa: FBT001, FBT002 - as the library has it
    try:
        return _send(connection, request, expect_response)
    except RuntimeError as error:
        connection.close(reason=CloseReason.CONNECTION_BROKEN)
        raise KafkaConnectionError(f"Connection at {connection.host}:{connection.port} broken: {error}") from error
