"""What the connections of a listener share."""

import asyncio
from collections.abc import Callable
from typing import Any

from bridge.http_server import bounds
from bridge.http_server.connection_table import CloseReason, ConnectionLimits, ConnectionTable, TableEntry
from bridge.http_server.messages import Handler


class ConnectionContext:
    """What the connections of a listener share.

    Args:
        handler: Responds to requests.
        table: The connections.
        limits: How many there may be, and for how long.
        report: Is told why a connection was closed early.
    """

    def __init__(
        self,
        handler: Handler,
        table: ConnectionTable[Any],
        limits: ConnectionLimits,
        report: Callable[[CloseReason], None],
    ) -> None:
        self.handler, self.table, self.limits, self.report = handler, table, limits, report
        self.tasks: set[asyncio.Task[None]] = set()
        """Requests that are being answered, even if their clients are gone."""
        self.held_bytes = 0
        """What the connections hold of bodies that aren't complete."""
        self.date = ""
        """The time, for responses."""

    def hold(self, connection: TableEntry, size: int) -> None:
        """Note what a connection holds of a body that isn't complete, and bound what all of them hold."""
        self.held_bytes += size - connection.held_bytes
        connection.held_bytes = size
        if size and self.held_bytes > bounds.MAX_HELD_BYTES:
            self.table.free_memory()
