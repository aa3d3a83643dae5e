"""Appends to topics in batches, at least once, and reports when Kafka has them. What comes together shares a batch."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, NamedTuple

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from bridge.core.errors import KafkaUnavailableError
from bridge.kafka.clients import KafkaClients
from bridge.kafka.errors import format_error
from bridge.kafka.producers import abort_producer
from bridge.kafka.records import Record, send_batches
from bridge.kafka.retry import retry

LINGER_SECONDS = 0.002
"""How long a batch waits for more records, if nothing is in flight."""

MAX_LINGER_SECONDS = 0.02
"""How long it waits for those before it to be acknowledged: with a fast broker, what comes meanwhile shares a batch;
with a slow one, batches follow each other all the same."""

STUCK_SECONDS = 4.0
"""Without an acknowledgement, while some are awaited, after which Kafka counts as away."""

RETRY_PAUSE = 0.5
"""Seconds between attempts to make a new producer."""

log = structlog.get_logger(__name__)


class _Ticket:
    """One call of `append`: how many of its records Kafka doesn't have yet."""

    __slots__ = ("future", "remaining")

    def __init__(self, future: asyncio.Future[None], remaining: int) -> None:
        self.future = future
        self.remaining = remaining

    def acknowledge(self) -> None:
        self.remaining -= 1
        if self.remaining == 0 and not self.future.done():
            self.future.set_result(None)

    def fail(self, error: BaseException) -> None:
        if not self.future.done():
            self.future.set_exception(KafkaUnavailableError(format_error(error)))
            self.future.exception()  # retrieved, in case the caller has given up waiting


class _QueuedRecord(NamedTuple):
    record: Record
    ticket: _Ticket


class BatchingProducer:
    """Appends records in batches, a queue per partition. A failed batch costs the producer and all batches in flight.

    Args:
        kafka: The cluster.
        observe: Called with the number of records of each batch.
    """

    def __init__(self, kafka: KafkaClients, observe: Callable[[int], None] = lambda _: None) -> None:
        self._kafka, self._observe = kafka, observe
        self._producer: Any = None  # aiokafka has no types; an AIOKafkaProducer, once there is one
        self._making = asyncio.Lock()
        self._queues: dict[tuple[str, int], list[_QueuedRecord]] = {}
        self._senders: dict[tuple[str, int], asyncio.Task[None]] = {}
        self._in_flight: set[asyncio.Future[Any]] = set()
        self._acknowledged_at = 0.0
        self._departure = asyncio.Event()
        self._departure.set()

    @property
    def ready(self) -> bool:
        """Whether there is a producer, and Kafka accepts what it is given."""
        return self._producer is not None and not self.stuck

    @property
    def stuck(self) -> bool:
        """Whether records have waited too long for an acknowledgement."""
        return not self._idle and asyncio.get_running_loop().time() - self._acknowledged_at > STUCK_SECONDS

    @property
    def _idle(self) -> bool:
        return not self._senders and not self._in_flight

    async def start(self) -> None:
        """Make the first producer.

        Raises:
            KafkaError: It can't start.
        """
        self._producer = await self._kafka.producer()

    async def ask_kafka(self) -> None:
        """Ask Kafka something over the producer's own connections.

        Raises:
            KafkaError: No broker answers, or there is no producer.
        """
        if self._producer is None or not await self._producer.client.force_metadata_update():
            raise KafkaError("no broker answers the producer")

    def append(self, records: Iterable[Record]) -> asyncio.Future[None]:
        """Append records.

        Returns:
            A future that is done once the broker has all of them (acks=all), or fails with `KafkaUnavailableError` when
            the broker is not known to have them. Cancelling the future doesn't take the records back.
        """
        loop = asyncio.get_running_loop()
        if self._idle:
            self._acknowledged_at = loop.time()
        future: asyncio.Future[None] = loop.create_future()
        ticket = _Ticket(future, 0)
        for record in records:
            ticket.remaining += 1
            partition = (record.topic, record.partition)
            self._queues.setdefault(partition, []).append(_QueuedRecord(record, ticket))
            if partition not in self._senders:
                self._senders[partition] = asyncio.create_task(self._drain(partition, self._next_departure(loop)))
        if ticket.remaining == 0:
            future.set_result(None)
        return future

    async def stop(self, timeout: float) -> None:
        """Wait until everything is acknowledged, but at most `timeout` seconds; then abort the producer."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        while (pending := [*self._senders.values(), *self._in_flight]) and loop.time() < deadline:
            await asyncio.wait(pending, timeout=deadline - loop.time())
        for task in pending:
            task.cancel()
        producer, self._producer = self._producer, None
        if producer:
            await abort_producer(producer)

    def _next_departure(self, loop: asyncio.AbstractEventLoop) -> asyncio.Event:
        """When the next batches leave: those of all partitions together, because then they share a request.

        As in a database's group commit, they leave when those before them are acknowledged: each batch costs more than
        a record does.
        """
        if self._departure.is_set():
            self._departure = asyncio.Event()
            loop.call_later(MAX_LINGER_SECONDS if self._in_flight else LINGER_SECONDS, self._departure.set)
        return self._departure

    async def _drain(self, partition: tuple[str, int], departure: asyncio.Event) -> None:
        """Send what is queued for one partition, batch after batch, until nothing is."""
        try:
            await departure.wait()
            while queued := self._queues.pop(partition, None):
                await self._send(queued)
        finally:
            del self._senders[partition]
            _fail(self._queues.pop(partition, ()), KafkaUnavailableError("stopped"))

    async def _send(self, queued: Sequence[_QueuedRecord]) -> None:
        producer: AIOKafkaProducer | None = None
        try:
            producer = await self._usable_producer()
            # Returns when the batch before it is on the wire, so what comes meanwhile fills the next one.
            batches = await send_batches(producer, [record for record, _ in queued])
        except Exception as error:  # noqa: BLE001 - whatever it was, the callers must know
            self._replace_producer(producer, error)
            _fail(queued, error)
            return
        except asyncio.CancelledError as error:
            _fail(queued, error)
            raise
        self._observe(len(queued))
        first = 0
        for future, count in batches:
            self._in_flight.add(future)
            future.add_done_callback(partial(self._settle, producer, queued[first : first + count]))
            first += count

    def _settle(self, producer: AIOKafkaProducer, batch: Sequence[_QueuedRecord], sent: asyncio.Future[Any]) -> None:
        self._in_flight.discard(sent)
        if not self._in_flight:
            self._departure.set()
        error = asyncio.CancelledError() if sent.cancelled() else sent.exception()
        if error is None:
            self._acknowledged_at = asyncio.get_running_loop().time()
            for _, ticket in batch:
                ticket.acknowledge()
            return
        if not sent.cancelled():
            self._replace_producer(producer, error)
        _fail(batch, error)

    async def _usable_producer(self) -> AIOKafkaProducer:
        async with self._making:
            if self._producer is None:
                self._producer = await retry(
                    self._kafka.producer, event="producer can't be made; retrying", pause_seconds=RETRY_PAUSE
                )
            return self._producer

    def _replace_producer(self, producer: AIOKafkaProducer | None, error: BaseException) -> None:
        if producer is not None and self._producer is producer:
            log.warning("batch failed; replacing its producer", error=format_error(error))
            self._producer = None
            task = asyncio.create_task(abort_producer(producer))
            self._in_flight.add(task)
            task.add_done_callback(self._in_flight.discard)


def _fail(queued: Iterable[_QueuedRecord], error: BaseException) -> None:
    for _, ticket in queued:
        ticket.fail(error)
