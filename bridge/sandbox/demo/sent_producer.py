"""The sending platform: hands each message to a provider and publishes its sent event, at an even rate.

What happens to a message then is decided in the simulator's `scenarios.py`.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import NamedTuple
from uuid import UUID

import orjson

from bridge.core.timestamps import format_rfc3339
from bridge.sandbox.demo.verification import ExpectedResult
from bridge.sandbox.simulator.server import Simulator

PROVIDERS = ("dexatel", "speedocom")

Publish = Callable[["Message", bytes], Awaitable[object]]


class Message(NamedTuple):
    """One message, with the platform's id and the provider's."""

    message_id: str
    provider: str
    provider_message_id: str
    recipient: str

    @property
    def key(self) -> str:
        """The attempt's key."""
        return f"{self.provider}:default:{self.provider_message_id}"

    def make_sent_event(self, sent_at: float) -> bytes:
        """Return the record for `sms.sent`.

        Args:
            sent_at: Seconds since the epoch.
        """
        return orjson.dumps(
            {
                "message_id": self.message_id,
                "provider": self.provider,
                "provider_message_id": self.provider_message_id,
                "sent_at": format_rfc3339(int(sent_at * 1000)),
                "recipient": self.recipient,
                "sender": "DEMO",
                "metadata": {"campaign": "demo"},
            }
        )


def make_unusable_event() -> tuple[bytes, bytes]:
    """Return key and value of a record that lacks the provider's id: the bridge can only make a dead letter of it."""
    return b"msg-00000", orjson.dumps({"message_id": "msg-00000", "provider": PROVIDERS[0], "sender": "DEMO"})


def make_messages(count: int, seed: int) -> Iterator[Message]:
    """Yield messages for both providers in random order; the same seed gives the same messages."""
    rng = random.Random(seed)
    for number in range(1, count + 1):
        provider = rng.choice(PROVIDERS)
        identifier = UUID(int=rng.getrandbits(128), version=4)
        # Each provider has its own form of ids. The recipients' numbers are reserved for fiction.
        provider_message_id = str(identifier) if provider == "dexatel" else str(identifier.int)[:12]
        yield Message(f"msg-{number:05}", provider, provider_message_id, f"+447700900{number % 1000:03}")


async def send_messages(
    messages: Iterator[Message],
    rate: float,
    providers: Mapping[str, Simulator],
    publish: Publish,
    on_send: Callable[[str, ExpectedResult], None],
) -> None:
    """Send messages, and return when all sent events are published.

    Args:
        messages: The messages.
        rate: Messages per second.
        providers: The simulators by name.
        publish: Publishes a message's sent event.
        on_send: Called with each attempt's key and expected result, before any event about it can be published.
    """
    start = time.monotonic()
    async with asyncio.TaskGroup() as publishing:
        for number, message in enumerate(messages):
            await asyncio.sleep(max(0.0, start + number / rate - time.monotonic()))
            now = time.time()
            scenario = providers[message.provider].submit(message.provider_message_id, now)
            expected = ExpectedResult(message.message_id, scenario.expected, int(now * 1000), message.recipient)
            on_send(message.key, expected)
            event, delay_seconds = message.make_sent_event(now), scenario.sent_event_delay_seconds
            publishing.create_task(_publish_after(delay_seconds, publish, message, event))


async def _publish_after(delay_seconds: float, publish: Publish, message: Message, event: bytes) -> None:
    if delay_seconds:  # the scenario wants a callback to arrive first
        await asyncio.sleep(delay_seconds)
    await publish(message, event)
