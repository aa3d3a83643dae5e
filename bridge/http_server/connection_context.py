"""What the connections of a listener share."""

import asyncio
from collections.abc import Callable
from typing import Any

from bridge.http_server.connection_table import CloseReason, ConnectionLimits, ConnectionTable
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
