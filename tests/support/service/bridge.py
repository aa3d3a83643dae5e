"""A bridge with its sender, its providers and its consumers."""

import hmac
import itertools
import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import uuid4

import httpx

from tests.support.service.checks import Record
from tests.support.service.process import Service
from tests.support.service.topics import WITHIN, Topics

_counter = itertools.count(int(time.time()) * 1000)


class Message(NamedTuple):
    """A message that a test follows."""

    message_id: str
    provider: str
    account: str
    provider_message_id: str
    sent_at: str

    @property
    def attempt(self) -> tuple[str, str, str]:
        """Its provider, account and id."""
        return self.provider, self.account, self.provider_message_id

    def sent(self, **members: Any) -> dict[str, Any]:
        """Its sent event; None takes a member away."""
        event = {**self._asdict(), **members}
        return {name: value for name, value in event.items() if value is not None}


def message(
    provider: str = "dexatel",
    account: str = "default",
    *,
    age: timedelta = timedelta(),
    provider_message_id: str | None = None,
    message_id: str | None = None,
) -> Message:
    """Return a new message.

    Args:
        provider: Its provider.
        account: Its account.
        age: How long ago it was sent.
        provider_message_id: The provider's id; a new one by default.
        message_id: The sender's id; a new one by default.
    """
    sent_at = (datetime.now(UTC) - age).isoformat(timespec="milliseconds")
    return Message(
        message_id or f"m-{uuid4().hex[:16]}", provider, account, provider_message_id or str(next(_counter)), sent_at
    )


class Bridge:
    """A service, its topics, and a client for callbacks.

    Args:
        service: The running service.
        topics: Its topics.
        client: Sends callbacks.
        secrets: The callback secret of each account, by provider and account.
    """

    def __init__(
        self, service: Service, topics: Topics, client: httpx.AsyncClient, secrets: Mapping[tuple[str, str], str]
    ) -> None:
        self.service, self.topics, self.client, self._secrets = service, topics, client, secrets

    def url(self, provider: str, account: str = "default") -> str:
        """Return an account's callback URL."""
        return f"{self.service.url}/dlr/{provider}/{self._secrets[provider, account]}"

    async def send(self, one: Message | None = None, **members: Any) -> Message:
        """Publish a sent event."""
        one = one or message()
        await self.topics.publish(one.sent(**members), key=one.message_id)
        return one

    async def send_and_wait(self, one: Message | None = None, **members: Any) -> Message:
        """Publish a sent event and wait until the journal has it, so that it precedes any report."""
        one = await self.send(one, **members)
        await self.topics.wait_until(
            lambda: any(e["type"] == "sent" and e.key == ":".join(one.attempt).encode() for e in self.topics.entries),
            "the journal has the sent event",
        )
        return one

    async def report(self, one: Message, word: str, **members: Any) -> int:
        """Send a callback about a message in its simplest form, and return the status."""
        if one.provider == "dexatel":
            query = {"message_uuid": one.provider_message_id, "status": word, **members}
            response = await self.client.get(self.url(*one.attempt[:2]), params=query)
        else:
            body = {"messageid": one.provider_message_id, "description": word, **members}
            response = await self.client.post(self.url(*one.attempt[:2]), json=body)
        return response.status_code

    async def report_all(self, one: Message, *words: str) -> None:
        """Send callbacks with these statuses in order; each is accepted."""
        for word in words:
            assert await self.report(one, word) == 200

    async def events(self, one: Message, count: int = 1, within: float = WITHIN) -> list[Record]:
        """Return a message's events when there are this many; there may not be more."""
        story = self.story
        await self.topics.wait_until(lambda: len(story(one)) >= count, f"{count} events of {one}", within)
        assert len(story(one)) == count, [event.document for event in story(one)]
        return story(one)

    async def wait_for_final(self, one: Message, within: float = WITHIN) -> Record:
        """Return a message's last event when it is final."""
        story = self.story
        await self.topics.wait_until(lambda: any(e["final"] for e in story(one)), f"an end of {one}", within)
        return story(one)[-1]

    def story(self, one: Message) -> list[Record]:
        """Return a message's events so far."""
        return list(self.topics.story(*one.attempt))

    async def wait_for_dead_letter(self, within: float = WITHIN, **headers: str | int) -> Record:
        """Return the only dead letter with these headers."""

        def found() -> list[Record]:
            wanted = {name: str(value) for name, value in headers.items()}.items()
            return [letter for letter in self.topics.dead_letters if wanted <= letter.headers.items()]

        await self.topics.wait_until(lambda: bool(found()), f"a dead letter with {headers}", within)
        [letter] = found()
        return letter

    async def wait_for_dead_letter_of(self, value: bytes, within: float = WITHIN) -> Record:
        """Return the only dead letter with this value."""
        letters = self.topics.dead_letters
        await self.topics.wait_until(
            lambda: any(x.value == value for x in letters), f"a dead letter of {value!r}", within
        )
        [letter] = [x for x in letters if x.value == value]
        return letter


def signature(secret: str, body: bytes) -> bytes:
    """Return Dexatel's signature of a webhook as bytes."""
    return hmac.digest(secret.encode(), body, "sha256")


def webhook(one: Message, status: str = "DELIVERED", **members: Any) -> bytes:
    """Return the body of Dexatel's webhook."""
    data = {
        "account_id": "3d3a1c5e-0000-4000-8000-000000000001",
        "message_id": one.provider_message_id,
        "event": "delivery",
        "status": status,
        "channel": "SMS",
        "to": "37400000000",
        **members,
    }
    return json.dumps({"data": data}).encode()
