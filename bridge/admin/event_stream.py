"""Live events for the status page: one reader of `sms.delivery` for all viewers, while there are any.

A viewer's position is a number in a short list of frames: a slow viewer misses frames and holds nothing up. When there
are too many viewers, the one that has watched longest makes room; its browser reconnects by itself, and says which
frame was its last.
"""

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, Iterable
from typing import Any, NamedTuple

import orjson
import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaConnectionError

from bridge.clock import now_ms
from bridge.kafka.clients import KafkaClients
from bridge.kafka.consumers import close_consumer, fetch
from bridge.kafka.errors import format_error
from bridge.kafka.retry import is_retriable
from bridge.kafka.wire_format import strip_frame

MAX_VIEWERS = 32

MAX_FRAMES, FIRST_FRAMES = 120, 5
"""How many are kept, and with how many a new viewer begins."""

FRAME_INTERVAL = 0.25
"""Seconds between two frames, while events come."""

FETCH_TIMEOUT_MS = 1_000

MAX_EVENTS = 40
"""Of one frame: the latest ones; nobody reads faster."""

START_OFFSETS = 10
"""Before a partition's end, where its reading begins, so that a quiet topic isn't an empty list."""

HEARTBEAT_INTERVAL = 5.0
"""Seconds without a frame after which a comment is sent: that is how a viewer who left is noticed."""

LINGER_SECONDS = 20.0
"""For which the reader goes on without viewers: a page that is reloaded goes on where it was."""

RETRY_PAUSE = 2.0

MAX_NUMBER_DIGITS = 20

log = structlog.get_logger(__name__)


class _Frame(NamedTuple):
    number: int
    data: bytes


class EventStream:
    """Reads for viewers.

    Args:
        kafka: Makes the reader.
        topic: The topic of the events.
        partitions: How many partitions it has.
    """

    def __init__(self, kafka: KafkaClients, topic: str, partitions: int) -> None:
        self._kafka = kafka
        self._tps = [TopicPartition(topic, number) for number in range(partitions)]
        self._frames: deque[_Frame] = deque(maxlen=MAX_FRAMES)
        self._number = now_ms()  # so that a restarted process isn't behind the numbers that browsers remember
        self._new_frame = asyncio.Event()
        self._viewers: dict[object, None] = {}
        self._left_at = 0.0
        self._reading: asyncio.Task[None] | None = None
        self._interrupted = False
        self._closed = False

    def watch(self, last: str | None) -> AsyncGenerator[bytes, None]:
        """Open a stream of server-sent events.

        Args:
            last: The last frame that the viewer has, as it says.
        """
        is_number = last is not None and last.isascii() and last.isdecimal() and len(last) < MAX_NUMBER_DIGITS
        return self._stream(int(last or 0) if is_number else 0)

    async def close(self) -> None:
        """End every stream, and the reader."""
        self._closed = True
        self._wake_viewers()
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.wait([self._reading])

    async def _stream(self, position: int) -> AsyncGenerator[bytes, None]:
        viewer = self._add_viewer()
        try:
            yield b"retry: 1000\n\n"
            while not self._closed and viewer in self._viewers:
                new_frame = self._new_frame
                frames = self._frames_after(position)
                if frames:
                    position = self._frames[-1].number
                    yield b"".join(frames)
                    continue
                try:
                    async with asyncio.timeout(HEARTBEAT_INTERVAL):
                        await new_frame.wait()
                except TimeoutError:
                    yield b": still here\n\n"
        finally:
            self._viewers.pop(viewer, None)
            self._left_at = time.monotonic()

    def _add_viewer(self) -> object:
        """Add a viewer, once its stream begins: one that never begins wouldn't leave."""
        if len(self._viewers) >= MAX_VIEWERS:
            del self._viewers[next(iter(self._viewers))]
            self._wake_viewers()
        viewer = object()
        self._viewers[viewer] = None
        if not self._closed and (self._reading is None or self._reading.done()):
            self._reading = asyncio.create_task(self._read())
        return viewer

    def _frames_after(self, position: int) -> list[bytes]:
        """The frames that a viewer hasn't seen; one whose position isn't from this process begins with the latest."""
        if not position or position > self._number:
            return [frame.data for frame in list(self._frames)[-FIRST_FRAMES:]]
        return [frame.data for frame in self._frames if frame.number > position]

    def _wake_viewers(self) -> None:
        awaited, self._new_frame = self._new_frame, asyncio.Event()
        awaited.set()

    def _add_frame(self, name: str, data: bytes) -> None:
        self._number += 1
        frame = b"id: %d\nevent: %s\ndata: %s\n\n" % (self._number, name.encode(), data)
        self._frames.append(_Frame(self._number, frame))
        self._wake_viewers()

    async def _read(self) -> None:
        """Read while there are viewers, and a little longer."""
        try:
            while self._is_watched():
                try:
                    await self._read_topic()
                except Exception as error:
                    if not is_retriable(error):
                        raise
                    self._report_interruption(error)
                    await asyncio.sleep(RETRY_PAUSE)
        finally:
            self._frames.clear()

    def _report_interruption(self, error: Exception) -> None:
        """Tell viewers every time, the log once."""
        text = "Kafka doesn't answer" if isinstance(error, KafkaConnectionError) else format_error(error)
        self._add_frame("trouble", orjson.dumps({"error": text}))
        if not self._interrupted:
            log.info("live events interrupted", error=format_error(error))
        self._interrupted = True

    def _is_watched(self) -> bool:
        return bool(self._viewers) or time.monotonic() - self._left_at < LINGER_SECONDS

    async def _read_topic(self) -> None:
        consumer = await self._kafka.reader(committed=True)
        try:
            await self._seek_near_end(consumer)
            self._add_frame("reading", b"{}")
            self._interrupted = False
            while self._is_watched():
                batches = await fetch(consumer, timeout_ms=FETCH_TIMEOUT_MS)
                if batches:
                    self._add_events([record.value for batch in batches.values() for record in batch if record.value])
                    await asyncio.sleep(FRAME_INTERVAL)
        finally:
            await close_consumer(consumer)

    async def _seek_near_end(self, consumer: AIOKafkaConsumer) -> None:
        consumer.assign(self._tps)
        ends = await consumer.end_offsets(self._tps)
        starts = await consumer.beginning_offsets(self._tps)
        for tp in self._tps:
            consumer.seek(tp, max(starts[tp], ends[tp] - START_OFFSETS))

    def _add_events(self, values: list[Any]) -> None:
        latest = values[-MAX_EVENTS:]
        self._add_frame("deliveries", _join(map(strip_frame, latest), len(values) - len(latest)))


def _join(events: Iterable[bytes], left_out: int) -> bytes:
    """Join events as they stand in the topic, each one line of JSON, without parsing them."""
    return b'{"left_out":%d,"events":[%s]}' % (left_out, b",".join(event.replace(b"\n", b" ") for event in events))
