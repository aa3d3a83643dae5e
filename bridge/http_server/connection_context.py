"""What the connections of a listener share."""

import asyncio
from collections.abc import Callable
from typing import Any

from bridge.http_server.connection_table import CloseReason, ConnectionTable
from bridge.http_server.messages import Handler


class ConnectionContext:
    """What the connections of a listener share.

    Args:
        handler: Responds to requests.
        table: The connections.
        idle_timeout: Seconds that a connection is kept without a request.
        report: Is told why a connection was closed early.
    """

    def __init__(
        self,
        handler: Handler,
        table: ConnectionTable[Any],
        idle_timeout: float,
        report: Callable[[CloseReason], None],
    ) -> None:
        self.handler, self.table, self.idle_timeout, self.report = handler, table, idle_timeout, report
        self.tasks: set[asyncio.Task[None]] = set()
        """Requests that are being answered, even if their clients are gone."""
        self.date = ""
        """The time, for responses."""
