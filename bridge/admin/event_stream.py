"""Live events for whoever has the page open: one reader of `sms.delivery` for all, while there is anybody.

A viewer's place is a number in a short list of frames. So a slow one misses frames, and holds nothing up; and because
the server takes whatever it is given and keeps it until it was read, a stream ends after so many bytes. The browser
then comes back by itself, and says which frame was its last.
"""

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, Iterable
from typing import Any, NamedTuple

import orjson
import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaConnectionError, KafkaError

from bridge.clock import now_ms
from bridge.kafka.clients import KafkaClients, format_error
from bridge.kafka.consumers import close_consumer, fetch
from bridge.kafka.wire_format import strip_frame

MOST_VIEWERS = 8
MOST_BYTES = 4 * 1024 * 1024
"""Of one stream; then its viewer has to come back."""

FRAMES, FIRST = 120, 5
"""How many are kept, and with how many a viewer begins."""
EVERY = 0.25
"""Seconds between two frames, while something comes."""

MOST_EVENTS = 40
"""Of one frame: the latest ones; nobody reads faster."""

BACK = 10
"""Offsets before its end at which the reading of a partition begins, so that a quiet topic isn't an empty list."""

HEARTBEAT = 5.0
"""Seconds without anything after which a comment is sent: that is how a viewer who left is found out."""

LINGER = 20.0
"""Seconds for which the reader goes on when nobody looks: a page that is loaded again goes on where it was."""

PAUSE = 2.0

log = structlog.get_logger(__name__)


class _Frame(NamedTuple):
    number: int
    data: bytes


class EventStream:
    """Reads for viewers.

    Args:
        kafka: Where.
        topic: `sms.delivery`, by whatever name.
        partitions: How many it has.
    """

    def __init__(self, kafka: KafkaClients, topic: str, partitions: int) -> None:
        self._kafka = kafka
        self._tps = [TopicPartition(topic, number) for number in range(partitions)]
        self._frames: deque[_Frame] = deque(maxlen=FRAMES)
        self._number = now_ms()  # so that a process begun again isn't behind what browsers remember
        self._news = asyncio.Event()
        self._viewers = 0
        self._left_at = 0.0
        self._reading: asyncio.Task[None] | None = None
        self._troubled = False
        self._closed = False

    def watch(self, last: str | None) -> AsyncGenerator[bytes, None] | None:
        """A stream of server-sent events, or None when there are enough.

        Args:
            last: The last frame that the viewer has, as it says.
        """
        if self._closed or self._viewers >= MOST_VIEWERS:
            return None
        self._viewers += 1
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read())
        return self._stream(int(last) if last and last.isdigit() and len(last) < 20 else 0)  # noqa: PLR2004

    async def close(self) -> None:
        """End every stream, and the reader."""
        self._closed = True
        self._ring()
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.wait([self._reading])

    async def _stream(self, place: int) -> AsyncGenerator[bytes, None]:
        sent = 0
        try:
            yield b"retry: 1000\n\n"
            while not self._closed and sent < MOST_BYTES:
                news = self._news
                pieces = self._after(place)
                if pieces:
                    place = self._frames[-1].number
                    sent += sum(map(len, pieces))
                    yield b"".join(pieces)
                    continue
                try:
                    async with asyncio.timeout(HEARTBEAT):
                        await news.wait()
                except TimeoutError:
                    yield b": still here\n\n"
        finally:
            self._viewers -= 1
            self._left_at = time.monotonic()

    def _after(self, place: int) -> list[bytes]:
        """What a viewer hasn't seen; one whose place isn't from here begins with the latest."""
        if not place or place > self._number:
            return [frame.data for frame in list(self._frames)[-FIRST:]]
        return [frame.data for frame in self._frames if frame.number > place]

    def _ring(self) -> None:
        rung, self._news = self._news, asyncio.Event()
        rung.set()

    def _publish(self, name: str, data: bytes) -> None:
        self._number += 1
        self._frames.append(
            _Frame(self._number, b"id: %d\nevent: %s\ndata: %s\n\n" % (self._number, name.encode(), data))
        )
        self._ring()

    async def _read(self) -> None:
        """Read while somebody looks, and a little longer."""
        try:
            while self._wanted():
                try:
                    await self._reader()
                except (KafkaError, OSError) as error:
                    self._trouble(error)
                    await asyncio.sleep(PAUSE)
        finally:
            self._frames.clear()

    def _trouble(self, error: Exception) -> None:
        away = isinstance(error, KafkaConnectionError)
        self._publish("trouble", orjson.dumps({"error": "Kafka doesn't answer" if away else format_error(error)}))
        if not self._troubled:
            log.info("live events pause", error=format_error(error))
        self._troubled = True

    def _wanted(self) -> bool:
        return self._viewers > 0 or time.monotonic() - self._left_at < LINGER

    async def _reader(self) -> None:
        consumer = await self._kafka.reader(committed=True)
        try:
            await self._begin(consumer)
            self._publish("reading", b"{}")
            self._troubled = False
            while self._wanted():
                batches = await fetch(consumer, timeout_ms=1000)
                if batches:
                    self._tell(
                        [strip_frame(record.value) for batch in batches.values() for record in batch if record.value]
                    )
                    await asyncio.sleep(EVERY)
        finally:
            await close_consumer(consumer)

    async def _begin(self, consumer: AIOKafkaConsumer) -> None:
        consumer.assign(self._tps)
        ends = await consumer.end_offsets(self._tps)
        starts = await consumer.beginning_offsets(self._tps)
        for tp in self._tps:
            consumer.seek(tp, max(starts[tp], ends[tp] - BACK))

    def _tell(self, events: list[Any]) -> None:
        latest = events[-MOST_EVENTS:]
        self._publish("deliveries", _joined(latest, len(events) - len(latest)))


def _joined(events: Iterable[bytes], left_out: int) -> bytes:
    """Events as they stand in the topic, each one line of JSON; they aren't read here."""
    return b'{"left_out":%d,"events":[%s]}' % (left_out, b",".join(event.replace(b"\n", b" ") for event in events))
