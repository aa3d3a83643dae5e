"""Appends to topics in batches, at least once, and reports when Kafka has them. What comes together shares a batch."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from bridge.core.errors import KafkaUnavailableError
from bridge.kafka.clients import KafkaClients
from bridge.kafka.errors import format_error
from bridge.kafka.producers import abort_producer
from bridge.kafka.records import Record, RecordBatches
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


def _do_nothing() -> None:
    pass


class _Ticket:
    """One call of `append`: how many of its records are neither acknowledged nor failed yet."""

    __slots__ = ("_settle", "future", "remaining")

    def __init__(self, future: asyncio.Future[None], settle: Callable[[], None]) -> None:
        self.future = future
        self._settle = settle
        self.remaining = 0

    def acknowledge(self) -> None:
        self.remaining -= 1
        if self.remaining == 0:
            self._settle()
            if not self.future.done():
                self.future.set_result(None)

    def fail(self, error: BaseException) -> None:
        self.remaining -= 1
        if not self.future.done():
            self.future.set_exception(KafkaUnavailableError(format_error(error)))
            self.future.exception()  # retrieved, in case the caller has given up waiting
        if self.remaining == 0:
            self._settle()


class _Queue:
    """What waits for one partition: records, and each one's ticket."""

    __slots__ = ("records", "tickets")

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.tickets: list[_Ticket] = []


class BatchingProducer:
    """Appends records in batches. A failed batch costs the producer and all batches in flight.

    Records wait in a queue for each partition. They depart together, because batches of several partitions share a
    request. As in a database's group commit, they depart when what departed before is acknowledged: a batch costs more
    than a record does. A partition whose last batches aren't acknowledged waits, and the others don't wait for it.

    Args:
        kafka: The cluster.
        observe: Called with the number of records of each batch.
    """

    def __init__(self, kafka: KafkaClients, observe: Callable[[int], None] = lambda _: None) -> None:
        self._kafka, self._observe = kafka, observe
        self._producer: Any = None  # aiokafka has no types; an AIOKafkaProducer, once there is one
        self._making = asyncio.Lock()
        self._queues: dict[tuple[str, int], _Queue] = {}
        self._timer: asyncio.TimerHandle | None = None
        """Of the next departure."""
        self._departed: Counter[tuple[str, int]] = Counter()
        """By partition, the batches that aren't acknowledged; 1 while it isn't known how many they are."""
        self._in_flight: set[asyncio.Future[Any]] = set()
        """What has to end before the process does."""
        self._acknowledged_at = 0.0

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
        return not self._queues and not self._in_flight

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

    def append(self, records: Iterable[Record], on_settled: Callable[[], None] = _do_nothing) -> asyncio.Future[None]:
        """Append records.

        Args:
            records: The records.
            on_settled: Called once each of them is acknowledged or has failed, even if the future ended earlier.

        Returns:
            A future that is done once the broker has all of them (acks=all), or fails with `KafkaUnavailableError` when
            the broker is not known to have them. Ending the future doesn't take the records back.
        """
        loop = asyncio.get_running_loop()
        if self._idle:
            self._acknowledged_at = loop.time()
        future: asyncio.Future[None] = loop.create_future()
        ticket = _Ticket(future, on_settled)
        for record in records:
            ticket.remaining += 1
            queue = self._queues.get((record.topic, record.partition))
            if queue is None:
                queue = self._queues[record.topic, record.partition] = _Queue()
            queue.records.append(record)
            queue.tickets.append(ticket)
        if ticket.remaining == 0:
            on_settled()
            future.set_result(None)
        elif self._timer is None:
            self._timer = loop.call_later(MAX_LINGER_SECONDS if self._departed else LINGER_SECONDS, self._depart)
        return future

    async def stop(self, timeout: float) -> None:
        """Wait until everything is acknowledged, but at most `timeout` seconds; then abort the producer."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        while not self._idle and loop.time() < deadline:
            self._depart()
            await asyncio.wait(self._in_flight, timeout=deadline - loop.time())
        queues, self._queues = self._queues, {}
        for queue in queues.values():
            _fail(queue.tickets, KafkaUnavailableError("stopped"))
        for unsettled in self._in_flight:
            unsettled.cancel()
        producer, self._producer = self._producer, None
        if producer:
            await abort_producer(producer)

    def _depart(self) -> None:
        """Send what is queued for all partitions that have nothing under way."""
        if self._timer:
            self._timer.cancel()
            self._timer = None
        departing = {tp: self._queues.pop(tp) for tp in self._queues.keys() - self._departed.keys()}
        if departing:
            self._departed.update(departing.keys())
            task = asyncio.create_task(self._send(departing))
            self._in_flight.add(task)
            task.add_done_callback(self._in_flight.discard)

    async def _send(self, departing: Mapping[tuple[str, int], _Queue]) -> None:
        producer: AIOKafkaProducer | None = None
        try:
            producer = await self._usable_producer()
            batches = RecordBatches(producer)
            for queue in departing.values():
                batches.add(queue.records)
            pending = await batches.send()
        except BaseException as error:
            for tp, queue in departing.items():
                _fail(queue.tickets, error)
                self._arrive(tp)
            if not isinstance(error, Exception):
                raise
            self._replace_producer(producer, error)
            return
        for tp, sent in pending.items():
            first, tickets = 0, departing[tp].tickets
            self._observe(len(tickets))
            self._departed[tp] = len(sent)
            for batch in sent:
                self._in_flight.add(batch.future)
                some = tickets[first : first + batch.records]
                batch.future.add_done_callback(partial(self._settle, producer, tp, some))
                first += batch.records

    def _settle(
        self, producer: AIOKafkaProducer, tp: tuple[str, int], tickets: Sequence[_Ticket], sent: asyncio.Future[Any]
    ) -> None:
        self._in_flight.discard(sent)
        error = asyncio.CancelledError() if sent.cancelled() else sent.exception()
        if error is None:
            self._acknowledged_at = asyncio.get_running_loop().time()
            for ticket in tickets:
                ticket.acknowledge()
        else:
            _fail(tickets, error)
            if not sent.cancelled():
                self._replace_producer(producer, error)
        self._arrive(tp)

    def _arrive(self, tp: tuple[str, int]) -> None:
        """Note that a batch of a partition is settled, and let what waits depart."""
        self._departed[tp] -= 1
        if self._departed[tp] == 0:
            del self._departed[tp]
        if self._queues and (not self._departed or self._timer is None):
            self._depart()

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


def _fail(tickets: Iterable[_Ticket], error: BaseException) -> None:
    for ticket in tickets:
        ticket.fail(error)
