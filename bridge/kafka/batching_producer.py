"""Appends to topics in batches, at least once, and reports when Kafka has them. What comes together shares a batch."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from functools import partial
from typing import Any

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from bridge.core.errors import KafkaUnavailableError
from bridge.kafka.clients import KafkaClients
from bridge.kafka.departures import Departures
from bridge.kafka.errors import format_error
from bridge.kafka.producers import abort_producer
from bridge.kafka.records import Record, RecordBatches
from bridge.kafka.retry import retry
from bridge.kafka.tickets import RecordQueue, Ticket, fail_tickets

LINGER_SECONDS = 0.002
"""How long a batch waits for more records, if nothing is in flight."""

MAX_LINGER_SECONDS = 0.02
"""How long it waits for those before it to be acknowledged: with a fast broker, what comes meanwhile shares a batch;
with a slow one, batches follow each other all the same."""

RETRY_PAUSE = 0.5
"""Seconds between attempts to make a new producer."""

log = structlog.get_logger(__name__)


def _do_nothing() -> None:
    pass


class BatchingProducer:
    """Appends records in batches. A failed batch costs the producer and all batches in flight.

    Records wait in a queue for each partition. They depart together, because batches of several partitions share a
    request. As in a database's group commit, they depart when what departed before is acknowledged: a batch costs more
    than a record does. A partition whose last batches aren't acknowledged waits, and the others don't wait for it; when
    it is stuck, it takes no more records, because whatever waits for it takes up the room of others.

    Args:
        kafka: The cluster.
        observe: Called with the number of records of each batch.
    """

    def __init__(self, kafka: KafkaClients, observe: Callable[[int], None] = lambda _: None) -> None:
        self._kafka, self._observe = kafka, observe
        self._producer: Any = None  # aiokafka has no types; an AIOKafkaProducer, once there is one
        self._making = asyncio.Lock()
        self._queues: dict[tuple[str, int], RecordQueue] = {}
        self._timer: asyncio.TimerHandle | None = None
        """Of the next departure."""
        self._departures = Departures()
        self._refusing: set[tuple[str, int]] = set()
        """Stuck partitions that were logged as refusing records."""
        self._in_flight: set[asyncio.Future[Any]] = set()
        """What has to end before the process does."""

    @property
    def ready(self) -> bool:
        """Whether there is a producer, and Kafka accepts what it is given."""
        return self._producer is not None and not self.stuck

    @property
    def stuck(self) -> bool:
        """Whether several partitions of a topic are stuck, or the only one that was ever used."""
        return self._departures.are_stuck(asyncio.get_running_loop().time())

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

    def append(self, records: Sequence[Record], on_settled: Callable[[], None] = _do_nothing) -> asyncio.Future[None]:
        """Append records.

        Args:
            records: The records.
            on_settled: Called once each of them is acknowledged or has failed, even if the future ended earlier.

        Returns:
            A future that is done once the broker has all of them (acks=all), or fails with `KafkaUnavailableError` when
            the broker is not known to have them: at once and without any of them if a partition of theirs is stuck.
            Ending the future doesn't take the records back.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        ticket = Ticket(future, on_settled)
        if stuck := self._departures.find_stuck(records, loop.time()):
            ticket.remaining = 1
            ticket.fail(self._refuse(*stuck))
            return future
        for record in records:
            ticket.remaining += 1
            queue = self._queues.get((record.topic, record.partition))
            if queue is None:
                queue = self._queues[record.topic, record.partition] = RecordQueue()
            queue.records.append(record)
            queue.tickets.append(ticket)
        if ticket.remaining == 0:
            on_settled()
            future.set_result(None)
        elif self._timer is None:
            self._timer = loop.call_later(MAX_LINGER_SECONDS if self._departures else LINGER_SECONDS, self._depart)
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
            fail_tickets(queue.tickets, KafkaUnavailableError("stopped"))
        await asyncio.sleep(0)  # a task that is cancelled before its first step settles nothing
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
        under_way = self._departures.partitions
        departing = {tp: self._queues.pop(tp) for tp in list(self._queues) if tp not in under_way}
        if departing:
            self._departures.begin(departing, asyncio.get_running_loop().time())
            self._start(self._send(departing))

    async def _send(self, departing: dict[tuple[str, int], RecordQueue]) -> None:
        producer: AIOKafkaProducer | None = None
        try:
            producer = await self._usable_producer()
            batches = RecordBatches(producer)
            for queue in departing.values():
                batches.add(queue.records)
        except BaseException as error:  # noqa: BLE001 - what ends the task is raised again
            self._give_up(producer, departing, error)
            return
        # A partition's second batch waits for its first one. The other partitions don't.
        for tp, long in batches.split_long().items():
            self._start(self._send_batches(producer, long, {tp: departing.pop(tp)}))
        await self._send_batches(producer, batches, departing)

    async def _send_batches(
        self, producer: AIOKafkaProducer, batches: RecordBatches, departing: Mapping[tuple[str, int], RecordQueue]
    ) -> None:
        handed = dict.fromkeys(departing, 0)
        try:
            async for tp, batch in batches.send():
                tickets = departing[tp].tickets[handed[tp] : handed[tp] + batch.records]
                handed[tp] += batch.records
                self._departures.add(tp)
                self._in_flight.add(batch.future)
                batch.future.add_done_callback(partial(self._settle, producer, tp, tickets))
        except BaseException as error:  # noqa: BLE001 - what ends the task is raised again
            self._give_up(producer, departing, error, handed)
            return
        for tp, queue in departing.items():
            self._observe(len(queue.tickets))
            self._arrive(tp)

    def _give_up(
        self,
        producer: AIOKafkaProducer | None,
        departing: Mapping[tuple[str, int], RecordQueue],
        error: BaseException,
        handed: Mapping[tuple[str, int], int] = {},
    ) -> None:
        """Let all records fail that weren't handed over; the others are settled by their batches."""
        for tp, queue in departing.items():
            fail_tickets(queue.tickets[handed.get(tp, 0) :], error)
            self._arrive(tp)
        if not isinstance(error, Exception):
            raise error
        self._replace_producer(producer, error)

    def _settle(
        self, producer: AIOKafkaProducer, tp: tuple[str, int], tickets: Sequence[Ticket], sent: asyncio.Future[Any]
    ) -> None:
        self._in_flight.discard(sent)
        error = asyncio.CancelledError() if sent.cancelled() else sent.exception()
        if error is None:
            for ticket in tickets:
                ticket.acknowledge()
            if tp in self._refusing:
                self._refusing.discard(tp)
                log.warning("partition acknowledges records again", topic=tp[0], partition=tp[1])
        else:
            fail_tickets(tickets, error)
            if not sent.cancelled():
                self._replace_producer(producer, error)
        self._arrive(tp)

    def _arrive(self, tp: tuple[str, int]) -> None:
        """Note that a batch of a partition is settled, or all are handed over, and let what waits depart."""
        self._departures.settle(tp, asyncio.get_running_loop().time())
        if self._queues and (not self._departures or self._timer is None):
            self._depart()

    def _refuse(self, topic: str, partition: int) -> KafkaError:
        """Make the error for records of a stuck partition; the first one is logged, unless all of Kafka is away."""
        if (topic, partition) not in self._refusing and not self.stuck:
            self._refusing.add((topic, partition))
            log.error("partition acknowledges nothing; refusing its records", topic=topic, partition=partition)
        return KafkaError(f"partition {partition} of {topic} acknowledges nothing")

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
            self._start(abort_producer(producer))

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        """Start work that has to end before the process does."""
        task = asyncio.create_task(work)
        self._in_flight.add(task)
        task.add_done_callback(self._in_flight.discard)
