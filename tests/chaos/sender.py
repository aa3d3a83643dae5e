"""The platform that sends: good messages at an even rate, some said twice, and now and then what nobody can read."""

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
from tests.chaos.ledger import Ledger, Place

TWICE = 0.01
"""The share of messages that the platform says twice."""

TOO_LARGE = 700 * 1024
"""Bytes that `sms.sent` takes and the journal doesn't."""


class Sender:
    """Sends until told to stop.

    Args:
        servers: Kafka.
        topic: Where sent events go.
        ledger: Is told of every message, and of what can't be read.
        seed: The same seed gives the same messages.
    """

    def __init__(self, servers: str, topic: str, ledger: Ledger, seed: int) -> None:
        self._topic, self._ledger, self._seed = topic, ledger, seed
        self._chance = random.Random(seed)
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
        """Send so many messages a second for so many seconds.

        Raises:
            RuntimeError: Kafka didn't take one of them, which says nothing about the bridge.
        """
        end = time.monotonic() + seconds

        def chosen() -> Iterator[Message]:
            for message in sent_producer.make_messages(2**31, self._seed):
                if time.monotonic() > end:
                    return
                yield message

        polling = asyncio.create_task(self._poll())
        try:
            await sent_producer.send_messages(chosen(), rate, providers, self._publish, self._ledger.promise)
            while await asyncio.to_thread(self._producer.flush, 1):
                pass
        finally:
            polling.cancel()
        if self._failed:
            raise RuntimeError(f"Kafka didn't take {len(self._failed)} sent events: {self._failed[0]}")

    def poison(self, count: int, chance: random.Random) -> None:
        """Publish what nobody can read, one of each kind in turn."""
        kinds = list(POISON.items())
        for number in range(count):
            make, reason = kinds[number % len(kinds)][1]
            value = make(f"poison-{chance.getrandbits(64):016x}")
            self._producer.produce(self._topic, value, b"poison", on_delivery=self._remember(reason))

    def _remember(self, reason: str) -> Callable[[Any, Any], None]:
        def delivered(error: KafkaError | None, message: Any) -> None:
            if error is not None:
                self._failed.append(error)
            else:
                self._ledger.poison[Place(message.topic(), message.partition(), message.offset())] = reason

        return delivered

    async def _publish(self, message: Message, event: bytes) -> None:
        for _ in range(2 if self._chance.random() < TWICE else 1):
            self._producer.produce(self._topic, event, message.message_id, on_delivery=self._published)

    def _published(self, error: KafkaError | None, _message: Any) -> None:
        if error is not None:
            self._failed.append(error)

    async def _poll(self) -> None:
        while True:
            self._producer.poll(0)
            await asyncio.sleep(0.05)


def _event(mark: str, **members: Any) -> bytes:
    good = {
        "message_id": mark,
        "provider": "dexatel",
        "provider_message_id": mark,
        "sent_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
    return orjson.dumps({name: value for name, value in (good | members).items() if value is not None})


POISON: Mapping[str, tuple[Callable[[str], bytes], str]] = {
    "not JSON": (lambda mark: f'{{"message_id": "{mark}"'.encode(), "malformed"),
    "not text": (lambda mark: b"\xff\xfe" + mark.encode(), "malformed"),
    "no id": (lambda mark: _event(mark, provider_message_id=None), "invalid"),
    "no time": (lambda mark: _event(mark, sent_at="yesterday"), "invalid"),
    "a stranger": (lambda mark: _event(mark, provider="pigeon-post"), "unknown_provider"),
    "an account nobody set up": (lambda mark: _event(mark, account="nobody"), "unknown_account"),
    "too large": (lambda mark: _event(mark, metadata={"filling": "x" * TOO_LARGE}), "too_large"),
}
"""Each kind of sent event that can't be followed, and the reason that its dead letter must give."""
