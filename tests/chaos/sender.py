"""The sending platform: valid messages at an even rate, some published twice, sometimes invalid or aborted ones."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import orjson
from confluent_kafka import KafkaError, Producer

from bridge.sandbox.demo import sent_producer
from bridge.sandbox.demo.sent_producer import Message
from bridge.sandbox.simulator.server import Simulator
from tests.chaos.ledger import Ledger
from tests.chaos.letters import PoisonLetter, RecordPosition

DUPLICATE_SHARE = 0.01
"""The share of sent events that are published twice."""

ABORT_TIMEOUT_SECONDS = 20.0

LARGE_BYTES = 700 * 1024
"""Small enough for `sms.sent`, and more than the journal takes."""


class Sender:
    """Publishes sent events.

    Args:
        servers: Kafka's bootstrap servers.
        topic: The topic of sent events.
        ledger: Records every message and every invalid event.
        seed: The same seed gives the same messages.
    """

    def __init__(self, servers: str, topic: str, ledger: Ledger, seed: int) -> None:
        self._topic, self._ledger, self._seed = topic, ledger, seed
        self._rng = random.Random(seed)
        self._options: dict[str, str | int | bool] = {
            "bootstrap.servers": servers,
            "acks": "all",
            "enable.idempotence": True,
            "linger.ms": 5,
            "reconnect.backoff.max.ms": 500,
            "log_level": 0,
        }
        self._producer = self._make_producer()
        self._flows = asyncio.Event()
        self._flows.set()
        self._failed: list[KafkaError] = []

    async def send(self, rate: float, seconds: float, providers: Mapping[str, Simulator]) -> None:
        """Send messages at a rate per second, for some seconds.

        Raises:
            RuntimeError: A sent event could not be published, so that the run says nothing about the bridge.
        """
        end = time.monotonic() + seconds

        def generate() -> Iterator[Message]:
            for message in sent_producer.make_messages(2**31, self._seed):
                if time.monotonic() > end:
                    return
                yield message

        polling = asyncio.create_task(self._poll())
        try:
            await sent_producer.send_messages(generate(), rate, providers, self._publish, self._ledger.expect)
            await self._flush()
        finally:
            polling.cancel()
        if self._failed:
            raise RuntimeError(f"{len(self._failed)} sent events could not be published: {self._failed[0]}")

    async def publish_poison(self, count: int, rng: random.Random) -> None:
        """Publish invalid events, one of each kind in turn, and return when Kafka has them."""
        kinds = list(POISON.items())
        for number in range(count):
            make, reason, headers = kinds[number % len(kinds)][1]
            mark = f"poison-{rng.getrandbits(64):016x}"
            on_delivery = self._make_delivery_callback(mark, reason)
            self._producer.produce(self._topic, make(mark), b"poison", headers=[*headers], on_delivery=on_delivery)

        await self._flush()

    @asynccontextmanager
    async def pause(self) -> AsyncIterator[None]:
        """Publish no valid events in this block, in which the topic may be created again."""
        self._flows.clear()
        try:
            await self._flush()
            yield
        finally:
            self._producer = self._make_producer()  # the previous one knows the previous topic
            self._flows.set()

    def _make_producer(self) -> Producer:
        return Producer({**self._options, "message.timeout.ms": 200_000})

    async def _flush(self) -> None:
        while await asyncio.to_thread(self._producer.flush, 1):
            pass

    def publish_aborted(self, count: int, rng: random.Random) -> None:
        """Publish valid events in a transaction, and abort it. Blocks.

        Raises:
            KafkaException: There is no transaction.
        """
        options = {"transactional.id": f"{self._topic}.aborted", "transaction.timeout.ms": 30_000}
        producer = Producer({**self._options, **options})
        producer.init_transactions(ABORT_TIMEOUT_SECONDS)
        producer.begin_transaction()
        for _ in range(count):
            mark = f"aborted-{rng.getrandbits(64):016x}"
            producer.produce(self._topic, _make_event(mark), mark)
        producer.flush(ABORT_TIMEOUT_SECONDS)
        producer.abort_transaction(ABORT_TIMEOUT_SECONDS)

    def _make_delivery_callback(self, mark: str, reason: str) -> Callable[[Any, Any], None]:
        def on_delivery(error: KafkaError | None, message: Any) -> None:
            if error is not None:
                self._failed.append(error)
            else:
                position = RecordPosition(message.topic(), message.partition(), message.offset())
                self._ledger.letters.poison.add(PoisonLetter(mark, position, reason))

        return on_delivery

    async def _publish(self, message: Message, event: bytes) -> None:
        await self._flows.wait()
        self._ledger.unread.add(message.key)
        for _ in range(2 if self._rng.random() < DUPLICATE_SHARE else 1):
            self._producer.produce(self._topic, event, message.message_id, on_delivery=self._on_published)

    def _on_published(self, error: KafkaError | None, _message: Any) -> None:
        if error is not None:
            self._failed.append(error)

    async def _poll(self) -> None:
        while True:
            self._producer.poll(0)
            await asyncio.sleep(0.05)


def _make_event(mark: str, **members: Any) -> bytes:
    valid = {
        "message_id": mark,
        "provider": "dexatel",
        "provider_message_id": mark,
        "sent_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
    return orjson.dumps({name: value for name, value in (valid | members).items() if value is not None})


class Poison(NamedTuple):
    """A kind of invalid sent event."""

    make: Callable[[str], bytes]
    """Makes the value; takes a mark."""
    reason: str
    """What its dead letter must say."""
    headers: Sequence[tuple[str, bytes | None]] = ()


CLOUD_EVENT = (("content-type", b"application/cloudevents+json"),)

POISON: Mapping[str, Poison] = {
    "not JSON": Poison(lambda mark: f'{{"message_id": "{mark}"'.encode(), "malformed"),
    "not text": Poison(lambda mark: b"\xff\xfe" + mark.encode(), "malformed"),
    "no id": Poison(lambda mark: _make_event(mark, provider_message_id=None), "invalid"),
    "an id that is none": Poison(lambda mark: _make_event(mark, message_id=[mark]), "invalid"),
    "an unknown provider": Poison(lambda mark: _make_event(mark, provider="pigeon-post"), "unknown_provider"),
    "an unknown account": Poison(lambda mark: _make_event(mark, account="nobody"), "unknown_account"),
    "an odd header": Poison(
        lambda mark: _make_event(mark, message_id=1.5), "invalid", (("", None), ("ce_type", None), ("x" * 300, b"\xff"))
    ),
    "deep": Poison(
        lambda mark: b'{"message_id":' + b"[" * 5_000 + b'"%s"' % mark.encode() + b"]" * 5_000 + b"}", "malformed"
    ),
    "base64 that is none": Poison(
        lambda mark: '{"specversion":"1.0","id":"%s","data_base64":"\u00fc"}'.encode() % mark.encode(),
        "malformed",
        CLOUD_EVENT,
    ),
    "large": Poison(
        lambda mark: _make_event(mark, account="nobody", metadata={"x": "x" * LARGE_BYTES}), "unknown_account"
    ),
}
"""The kinds of invalid sent events."""
