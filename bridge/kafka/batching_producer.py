"""Append to topics and know when Kafka has it. At least once, in batches: what comes within milliseconds shares one."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, NamedTuple

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from bridge.core.errors import KafkaUnavailableError
from bridge.kafka.clients import KafkaClients, format_error
from bridge.kafka.producers import abort_producer
from bridge.kafka.records import Record, send_partition

LINGER = 0.002
"""Seconds that a batch waits for company."""

STUCK_AFTER = 4.0
"""Seconds without an acknowledgement, while some are awaited, after which Kafka counts as away."""

RETRY_AFTER = 0.5
"""Seconds between attempts to get a new producer."""

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
            self.future.exception()  # seen: whoever gave up waiting must not be told by the event loop


class _Waiting(NamedTuple):
    record: Record
    ticket: _Ticket


class BatchingProducer:
    """Appends records, in batches a partition. A failed batch costs the producer, and all that is on its way.

    Args:
        kafka: The cluster.
        observe: Is told how many records went to Kafka together.
    """

    def __init__(self, kafka: KafkaClients, observe: Callable[[int], None] = lambda _: None) -> None:
        self._kafka, self._observe = kafka, observe
        self._producer: Any = None  # aiokafka has no types; an AIOKafkaProducer, once there is one
        self._making = asyncio.Lock()
        self._waiting: dict[tuple[str, int], list[_Waiting]] = {}
        self._lanes: dict[tuple[str, int], asyncio.Task[None]] = {}
        self._on_their_way: set[asyncio.Future[Any]] = set()
        self._moved_at = 0.0
        self._leaving = asyncio.Event()
        self._leaving.set()

    @property
    def ready(self) -> bool:
        """Whether there is a producer, and Kafka takes what it is given."""
        stuck = not self._idle and asyncio.get_running_loop().time() - self._moved_at > STUCK_AFTER
        return self._producer is not None and not stuck

    @property
    def _idle(self) -> bool:
        return not self._lanes and not self._on_their_way

    async def start(self) -> None:
        """Get the first producer."""
        self._producer = await self._kafka.producer()

    def append(self, records: Iterable[Record]) -> asyncio.Future[None]:
        """Append records.

        Returns:
            A future that is done once the broker has all of them (acks=all), or fails with `KafkaUnavailableError` when
            the broker is not known to have them. Cancelling the future doesn't take the records back.
        """
        loop = asyncio.get_running_loop()
        if self._idle:
            self._moved_at = loop.time()
        future: asyncio.Future[None] = loop.create_future()
        ticket = _Ticket(future, 0)
        for record in records:
            ticket.remaining += 1
            lane = (record.topic, record.partition)
            self._waiting.setdefault(lane, []).append(_Waiting(record, ticket))
            if lane not in self._lanes:
                self._lanes[lane] = asyncio.create_task(self._drive(lane, self._departure(loop)))
        if ticket.remaining == 0:
            future.set_result(None)
        return future

    async def stop(self, within: float) -> None:
        """Wait until nothing is on its way any more, but at most `within` seconds; then let the producer go."""
        pending = [*self._lanes.values(), *self._on_their_way]
        while pending:
            started = asyncio.get_running_loop().time()
            await asyncio.wait(pending, timeout=within)
            within -= asyncio.get_running_loop().time() - started
            pending = [*self._lanes.values(), *self._on_their_way] if within > 0 else []
        for task in (*self._lanes.values(), *self._on_their_way):
            task.cancel()
        producer, self._producer = self._producer, None
        if producer:
            await abort_producer(producer)

    def _departure(self, loop: asyncio.AbstractEventLoop) -> asyncio.Event:
        """When the next batches leave: those of all partitions together, for then they share a request."""
        if self._leaving.is_set():
            self._leaving = asyncio.Event()
            loop.call_later(LINGER, self._leaving.set)
        return self._leaving

    async def _drive(self, lane: tuple[str, int], departure: asyncio.Event) -> None:
        """Send what waits for one partition, batch after batch, until nothing does."""
        try:
            await departure.wait()
            while waiting := self._waiting.pop(lane, None):
                await self._send(waiting)
        finally:
            del self._lanes[lane]
            _fail(self._waiting.pop(lane, ()), KafkaUnavailableError("stopped"))

    async def _send(self, waiting: Sequence[_Waiting]) -> None:
        producer: AIOKafkaProducer | None = None
        try:
            producer = await self._usable_producer()
            # Returns when the batch before it is on the wire, so what comes meanwhile fills the next one.
            sent = await send_partition(producer, [record for record, _ in waiting])
        except Exception as error:  # noqa: BLE001 - whatever it was, those who wait must know
            self._drop(producer, error)
            _fail(waiting, error)
            return
        except asyncio.CancelledError as error:
            _fail(waiting, error)
            raise
        self._observe(len(waiting))
        first = 0
        for future, count in sent:
            self._on_their_way.add(future)
            future.add_done_callback(partial(self._settle, producer, waiting[first : first + count]))
            first += count

    def _settle(self, producer: AIOKafkaProducer, batch: Sequence[_Waiting], sent: asyncio.Future[Any]) -> None:
        self._on_their_way.discard(sent)
        error = asyncio.CancelledError() if sent.cancelled() else sent.exception()
        if error is None:
            self._moved_at = asyncio.get_running_loop().time()
            for _, ticket in batch:
                ticket.acknowledge()
            return
        if not sent.cancelled():
            self._drop(producer, error)
        _fail(batch, error)

    async def _usable_producer(self) -> AIOKafkaProducer:
        async with self._making:
            while self._producer is None:
                try:
                    self._producer = await self._kafka.producer()
                except (KafkaError, OSError) as error:
                    log.warning("no producer; trying again", error=format_error(error))
                    await asyncio.sleep(RETRY_AFTER)
            return self._producer

    def _drop(self, producer: AIOKafkaProducer | None, error: BaseException) -> None:
        if producer is not None and self._producer is producer:
            log.warning("a batch failed; its producer is replaced", error=format_error(error))
            self._producer = None
            task = asyncio.create_task(abort_producer(producer))
            self._on_their_way.add(task)
            task.add_done_callback(self._on_their_way.discard)


def _fail(waiting: Iterable[_Waiting], error: BaseException) -> None:
    for _, ticket in waiting:
        ticket.fail(error)
