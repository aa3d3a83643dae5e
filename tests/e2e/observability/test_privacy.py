"""With `hash` or `drop`, a recipient's digits are in no topic of the bridge and in no log line."""

import asyncio
import hmac
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer
from confluent_kafka import TopicPartition as Place

from tests.support.service.accounts import SECRETS, WEBHOOK_SECRET, secrets
from tests.support.service.bridge import Bridge, Message, message, signature, webhook
from tests.support.service.fleet import Fleet
from tests.support.service.providers import TOKEN, Providers, dexatel_says
from tests.support.service.topics import Topics

DIGITS = "254700123456"
SPELLINGS = (f"+{DIGITS}", "+254 700 123-456", DIGITS, "00254 (700) 123456")
KEY = "a-key-for-hashes"
TRACE = re.compile(rb"[ ()./+%20-]*".join(digit.encode() for digit in DIGITS[3:]))
"""The number without its country, in whatever way it is written."""


def everything(topics: Topics) -> Iterator[tuple[str, bytes]]:
    """Return keys, values and headers of all records in the bridge's topics, including uncommitted ones."""
    names = (topics.journal, topics.state, topics.delivery, topics.dead_letter)
    consumer: Any = Consumer(
        {
            "bootstrap.servers": topics.settings["KAFKA__BOOTSTRAP_SERVERS"],
            "group.id": f"{topics.group}.privacy",
            "isolation.level": "read_uncommitted",
            "enable.partition.eof": True,
        }
    )
    described = consumer.list_topics(timeout=60).topics
    places = [Place(name, number, OFFSET_BEGINNING) for name in names for number in described[name].partitions]
    consumer.assign(places)
    ended = 0
    while ended < len(places):
        found = consumer.poll(10)
        if found.error():
            ended += 1
            continue
        headers = [part for name, value in found.headers() or [] for part in (name.encode(), value)]
        yield found.topic(), b"\n".join([found.key() or b"", found.value() or b"", *headers])
    consumer.close()


@pytest.mark.parametrize("setting", ["hash", "drop"])
async def test_recipient_is_never_stored(
    fleet: Fleet, providers: Providers, client: httpx.AsyncClient, setting: str
) -> None:
    """A phone number is stored nowhere, whatever its source: sent events, callbacks, polls, keys or errors."""
    async with fleet.topics() as topics:
        settings = {
            **topics.settings,
            **secrets("dexatel"),
            **secrets("dexatel", "signed"),
            **secrets("speedocom"),
            "DEXATEL__BASE_URL": f"{providers.url}/private",
            "DEXATEL__TOKEN": TOKEN,
            "DEXATEL__POLL_PATH": "/dlr/{id}",
            "DEXATEL__POLL": "1s,2s,3s",
            "DEXATEL__ACCOUNTS__SIGNED__WEBHOOK_SECRET": WEBHOOK_SECRET,
            "SPEEDOCOM__POLL": "never",
            "FOLLOW__PARK_FOR": "1s",
            "PRIVACY__RECIPIENT": setting,
            "PRIVACY__HASH_KEY": KEY,
            "LOG__LEVEL": "debug",
        }
        async with fleet.running(settings) as service:
            bridge = Bridge(service, topics, client, SECRETS)
            reasons = await _bad_sent_events(bridge) | await _bad_callbacks(bridge)
            event = await _good_ones(bridge, providers)
            await topics.wait_until(
                lambda: {x.headers["reason"] for x in topics.dead_letters} >= reasons, f"letters: {reasons}"
            )
            records = await asyncio.to_thread(lambda: list(everything(topics)))
            log = service.log.encode()
    assert {topic for topic, _ in records} == {topics.journal, topics.state, topics.delivery, topics.dead_letter}
    assert [record for record in records if TRACE.search(record[1])] == []
    assert [line for line in log.splitlines() if TRACE.search(line)] == []
    assert b"levitating" in log, "what the log says of an unmapped word was looked at too"
    digest = hmac.digest(KEY.encode(), DIGITS.encode(), "sha256").hex()
    assert event["recipient"] == (digest if setting == "hash" else None)


async def _bad_sent_events(bridge: Bridge) -> set[str]:
    """Publish a sent event with a number for each kind of dead letter, and return the reasons."""
    topics, one = bridge.topics, message()
    for spelling in SPELLINGS:
        await topics.publish(message().sent(provider_message_id=None, recipient=spelling), key=spelling)
        await topics.publish(message().sent(provider="nobody", recipient=spelling, metadata={"phone": int(DIGITS)}))
        await topics.publish(f'{{"recipient": "{spelling}", '.encode(), key=spelling)
    await topics.publish(message().sent(recipient=int(DIGITS)))
    await topics.publish(message().sent(sent_at="2020-01-01T00:00:00Z", recipient=DIGITS), key=DIGITS)
    await bridge.send_and_wait(one, recipient=DIGITS)
    await topics.publish(one.sent(message_id="m-thief", recipient=DIGITS), key=DIGITS)
    return {"invalid", "unknown_provider", "malformed", "too_old", "conflict"}


async def _bad_callbacks(bridge: Bridge) -> set[str]:
    """Send unreadable callbacks and an unmatched one, and return the reasons."""
    client, stranger = bridge.client, message()
    answers = [
        await client.get(bridge.url("dexatel"), params={"message_uuid": "%d", "status": "sent", "to": SPELLINGS[1]}),
        await client.post(bridge.url("speedocom"), json={"messageid": None, "mobile": DIGITS}),
        await client.post(
            bridge.url("speedocom"),
            content=f'{{"mobile":"+{DIGITS}"'.encode(),
            headers={"content-type": "application/json"},
        ),
    ]
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert await bridge.report(stranger, "delivered", to=f"+{DIGITS}") == 200
    return {"unreadable", "unmatched"}


async def _good_ones(bridge: Bridge, providers: Providers) -> Any:
    """Publish events by callback, webhook and poll, each with the number in the provider's text."""
    one, signed, polled = message(), message("dexatel", "signed"), message()
    providers.script(polled.provider_message_id, [dexatel_says("delivered", to=DIGITS, number=f"+{DIGITS}")])
    for each, spelling in zip((one, signed, polled), SPELLINGS, strict=False):
        await bridge.send_and_wait(each, recipient=spelling)
    await bridge.report(one, "levitating", to=SPELLINGS[0])
    await bridge.report(one, "delivered", to=SPELLINGS[1])
    await _webhook(bridge, signed)
    for each in (signed, polled):
        await bridge.wait_for_final(each)
    return await bridge.wait_for_final(one)


async def _webhook(bridge: Bridge, one: Message) -> None:
    body = webhook(one, to=DIGITS)
    headers = {"content-type": "application/json", "x-dexatel-signature": signature(WEBHOOK_SECRET, body).hex()}
    answer = await bridge.client.post(bridge.url("dexatel", "signed"), content=body, headers=headers)
    assert answer.status_code == 200
