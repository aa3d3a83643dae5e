"""What the callers of a batching producer wait for: that each of their records is acknowledged, or has failed."""

import asyncio
from collections.abc import Callable, Iterable

from bridge.core.errors import KafkaUnavailableError
from bridge.kafka.errors import format_error
from bridge.kafka.records import Record


class Ticket:
    """One call of `append`: its future, and how many of its records are neither acknowledged nor failed yet."""

    __slots__ = ("_settle", "future", "remaining")

    def __init__(self, future: asyncio.Future[None], settle: Callable[[], None]) -> None:
        self.future = future
        self._settle = settle
        self.remaining = 0

    def acknowledge(self) -> None:
        """Note that Kafka has one of the records."""
        self.remaining -= 1
        if self.remaining == 0:
            self._settle()
            if not self.future.done():
                self.future.set_result(None)

    def fail(self, error: BaseException) -> None:
        """Note that one of the records isn't known to be in Kafka; the future fails at once."""
        self.remaining -= 1
        if not self.future.done():
            self.future.set_exception(KafkaUnavailableError(format_error(error)))
            self.future.exception()  # retrieved, in case the caller has given up waiting
        if self.remaining == 0:
            self._settle()


class RecordQueue:
    """What waits for one partition: records, and each one's ticket."""

    __slots__ = ("records", "tickets")

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.tickets: list[Ticket] = []


def fail_tickets(tickets: Iterable[Ticket], error: BaseException) -> None:
    """Let these records fail: one of each ticket, as often as it is there."""
    for ticket in tickets:
        ticket.fail(error)
