"""The platform that sends: hands each message to a provider and says so in `sms.sent`, at an even rate.

What then becomes of a message is the provider's affair, and settled in `truth.py`.
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
    """One message, as the platform and its provider know it."""

    message_id: str
    provider: str
    provider_message_id: str
    recipient: str

    @property
    def key(self) -> str:
        """The attempt's key."""
        return f"{self.provider}:default:{self.provider_message_id}"

    def sent_event(self, sent_at: float) -> bytes:
        """The event that says it was sent then, in seconds since the epoch."""
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


def make_messages(count: int, seed: int) -> Iterator[Message]:
    """The same messages for the same seed, for both providers in turn as chance has it."""
    chance = random.Random(seed)
    for number in range(1, count + 1):
        provider = chance.choice(PROVIDERS)
        drawn = UUID(int=chance.getrandbits(128), version=4)
        # Each in the form that the provider gives its ids; the recipients' numbers belong to nobody.
        provider_message_id = str(drawn) if provider == "dexatel" else str(drawn.int)[:12]
        yield Message(f"msg-{number:05}", provider, provider_message_id, f"+447700900{number % 1000:03}")


async def send_messages(
    chosen: Iterator[Message],
    rate: float,
    providers: Mapping[str, Simulator],
    publish: Publish,
    promise: Callable[[str, ExpectedResult], None],
) -> None:
    """Send messages, and return when all of them were published.

    Args:
        chosen: Which.
        rate: How many a second.
        providers: By name.
        publish: Puts a message's event into Kafka, when the platform says that it was sent.
        promise: Called before anything else can happen, with an attempt's key and what must become of it.
    """
    began = time.monotonic()
    async with asyncio.TaskGroup() as late:
        for number, message in enumerate(chosen):
            await asyncio.sleep(max(0.0, began + number / rate - time.monotonic()))
            now = time.time()
            fate = providers[message.provider].submit(message.provider_message_id, now)
            promise(message.key, ExpectedResult(message.message_id, fate.expected))
            late.create_task(_publish_later(publish, message, message.sent_event(now), fate.event_after))


async def _publish_later(publish: Publish, message: Message, event: bytes, after: float) -> None:
    """Say so at once, or late where a callback has to come first."""
    if after:
        await asyncio.sleep(after)
    await publish(message, event)
