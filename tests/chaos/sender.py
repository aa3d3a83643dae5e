"""The sending platform: valid messages at an even rate, some published twice, and sometimes invalid ones."""

import asyncio
import random
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import orjson
from confluent_kafka import KafkaError, Producer

from bridge.sandbox.demo import sent_producer
from bridge.sandbox.demo.sent_producer import Message
from bridge.sandbox.simulator.server import Simulator
from tests.chaos.ledger import Ledger, RecordPosition

DUPLICATE_SHARE = 0.01
"""The share of sent events that are published twice."""

TOO_LARGE_BYTES = 700 * 1024
"""Small enough for `sms.sent` and too large for the journal."""


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
        self._producer = Producer(
            {
                "bootstrap.servers": servers,
                "acks": "all",
                "enable.idempotence": True,
                "linger.ms": 5,
                "message.timeout.ms": 200_000,
                "reconnect.backoff.max.ms": 500,
                "log_level": 0,
            }
        )
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
            while await asyncio.to_thread(self._producer.flush, 1):
                pass
        finally:
            polling.cancel()
        if self._failed:
            raise RuntimeError(f"{len(self._failed)} sent events could not be published: {self._failed[0]}")

    def publish_poison(self, count: int, rng: random.Random) -> None:
        """Publish invalid events, one of each kind in turn."""
        kinds = list(POISON.items())
        for number in range(count):
            make, reason = kinds[number % len(kinds)][1]
            value = make(f"poison-{rng.getrandbits(64):016x}")
            self._producer.produce(self._topic, value, b"poison", on_delivery=self._make_delivery_callback(reason))

    def _make_delivery_callback(self, reason: str) -> Callable[[Any, Any], None]:
        def on_delivery(error: KafkaError | None, message: Any) -> None:
            if error is not None:
                self._failed.append(error)
            else:
                self._ledger.poison[RecordPosition(message.topic(), message.partition(), message.offset())] = reason

        return on_delivery

    async def _publish(self, message: Message, event: bytes) -> None:
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


POISON: Mapping[str, tuple[Callable[[str], bytes], str]] = {
    "not JSON": (lambda mark: f'{{"message_id": "{mark}"'.encode(), "malformed"),
    "not text": (lambda mark: b"\xff\xfe" + mark.encode(), "malformed"),
    "no id": (lambda mark: _make_event(mark, provider_message_id=None), "invalid"),
    "no time": (lambda mark: _make_event(mark, sent_at="yesterday"), "invalid"),
    "an unknown provider": (lambda mark: _make_event(mark, provider="pigeon-post"), "unknown_provider"),
    "an unknown account": (lambda mark: _make_event(mark, account="nobody"), "unknown_account"),
    "too large": (lambda mark: _make_event(mark, metadata={"filling": "x" * TOO_LARGE_BYTES}), "too_large"),
}
"""The kinds of invalid sent events, and the reason that their dead letters must have."""
