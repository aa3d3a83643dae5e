"""Settings that change input and output: another format of sent events, final events only, no phone numbers."""

import hmac
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import httpx
import pytest
import pytest_asyncio

from tests.support.service.accounts import CALLBACKS_ONLY, SECRETS
from tests.support.service.bridge import Bridge, Message, message
from tests.support.service.fleet import Fleet
from tests.support.service.topics import Topics

HASH_KEY = "the-key-of-the-hashes-0123456789"
NUMBER = "+374 (10) 000-017"
EARLY = message()
"""A sent event that is published before the bridges of this module start."""


def foreign(one: Message, kind: str = "sms.sent", **data: Any) -> dict[str, Any]:
    """Write a sent event in another team's format."""
    return {
        "type": kind,
        "data": {
            "ref": one.message_id,
            "vendor": {"dexatel": "DXT", "speedocom": "SPD"}[one.provider],
            "ids": [{"external": one.provider_message_id}],
            "at/utc": one.sent_at,
            "msisdn": NUMBER,
            **data,
        },
        "message_id": "not this one",
    }


SHAPE = {
    "SENT__FIELDS": json.dumps(
        {
            "message_id": "/data/ref",
            "provider": "/data/vendor",
            "provider_message_id": "/data/ids/0/external",
            "sent_at": "/data/at~1utc",
            "recipient": "/data/msisdn",
        }
    ),
    "SENT__CONSTANTS": '{"account": "default"}',
    "SENT__PROVIDERS": '{"DXT": "dexatel", "SPD": "speedocom"}',
    "SENT__WHERE": '{"/type": ["sms.sent", "sms.resent"]}',
    "SENT__START": "earliest",
}


@pytest_asyncio.fixture(scope="module")
async def other(fleet: Fleet, client: httpx.AsyncClient) -> AsyncIterator[Bridge]:
    """A bridge that reads another format from two topics, publishes final events only, and hashes phone numbers."""
    async with fleet.topics(sent=("sent-a", "sent-b"), interim=False) as topics:
        await topics.publish(foreign(EARLY), at=1)
        settings = {
            **topics.settings,
            **CALLBACKS_ONLY,
            **SHAPE,
            "FOLLOW__EMIT": "final",
            "FOLLOW__UNMATCHED": "count",
            "FOLLOW__PARK_FOR": "1s",
            "PRIVACY__RECIPIENT": "hash",
            "PRIVACY__HASH_KEY": HASH_KEY,
        }
        async with fleet.running(settings) as service:
            yield Bridge(service, topics, client, SECRETS)


async def test_another_shape_is_read_as_the_settings_say(other: Bridge) -> None:
    """With other names, providers and nesting, from each of the topics."""
    messages = [message(), message("speedocom")]
    for topic, one in zip(other.topics.sent, messages, strict=True):
        await other.topics.publish(foreign(one), topic=topic)
    await other.report_all(messages[0], "delivered")
    await other.report_all(messages[1], "DeliveredToTerminal")
    for one in messages:
        [event] = await other.events(one)
        assert (event["message_id"], event["status"]) == (one.message_id, "delivered")


async def test_confluents_framing_is_taken_off(other: Bridge) -> None:
    """A zero byte and a schema id before the JSON are skipped."""
    one = message()
    await other.topics.publish(b"\x00\x00\x00\x01\x02" + json.dumps(foreign(one)).encode())
    await other.report_all(one, "delivered")
    await other.events(one)


async def test_events_of_another_kind_are_skipped_and_counted(other: Bridge) -> None:
    """They don't become dead letters, and the next event is read."""
    name = 'sms_bridge_sent_skipped_total{reason="filtered"}'
    before = await other.service.read_sample(name)
    skipped, one = message(), message()
    for event in (foreign(skipped, "sms.queued"), {"data": 1}, foreign(one, "sms.resent")):
        await other.topics.publish(event)
    await other.report_all(one, "delivered")
    await other.events(one)
    await other.topics.wait_until_folded()
    assert await other.service.read_sample(name) == before + 2
    assert not other.story(skipped)
    assert not other.topics.dead_letters


async def test_earliest_begins_at_the_beginning(other: Bridge) -> None:
    """Even a record written in 1970 is read, as long as its deadline is in the future."""
    await other.report_all(EARLY, "delivered")
    await other.events(EARLY)


async def test_ends_alone_are_published_when_only_they_are_wanted(other: Bridge) -> None:
    """EMIT=final withholds interim events; the sequence has no gaps."""
    one = message()
    await other.topics.publish(foreign(one))
    await other.report_all(one, "pending", "sent", "failed", "delivered")
    await other.topics.wait_until_folded()
    failed, delivered = await other.events(one, 2)
    assert (failed["status"], failed["sequence"]) == ("failed", 1)
    assert (delivered["status"], delivered["sequence"]) == ("delivered", 2)
    assert delivered["corrects"] == failed["event_id"]


async def test_shared_account_only_counts_unmatched_reports(other: Bridge) -> None:
    """UNMATCHED=count: another system knows these messages."""
    one = message()

    async def unmatched() -> bool:
        samples = await other.service.read_samples()
        return sum(n for name, n in samples.items() if "reports_folded" in name and '"unmatched"' in name) >= 1

    await other.report_all(one, "delivered")
    await other.topics.wait_until_async(unmatched, "it is counted")
    await other.topics.wait_until_folded()
    assert not other.topics.dead_letters

    async def none_waits() -> bool:
        return await other.service.read_sample("sms_bridge_parked_reports") == 0

    await other.topics.wait_until_async(none_waits, "nothing is parked any more")


async def test_hashed_number_is_stable_and_never_in_the_clear(other: Bridge) -> None:
    """Events have the HMAC of the digits; the original text in the journal has no number either."""
    one = message()
    await other.topics.publish(foreign(one))
    query = {"id": one.provider_message_id, "status": "delivered", "to": "37410000017", "note": "kept"}
    assert (await other.client.get(other.url("dexatel"), params=query)).status_code == 200
    [event] = await other.events(one)
    assert event["recipient"] == hmac.digest(HASH_KEY.encode(), b"37410000017", "sha256").hex()
    _assert_no_number(other.topics, one)
    [report] = [e for e in _entries(other.topics, one) if e["type"] == "report"]
    assert "note=kept" in str(report["raw"])


@pytest.fixture(scope="module")
def unpublished() -> Message:
    """A message that was sent before a bridge that starts at the end."""
    return message()


async def test_latest_begins_at_the_end_and_dropped_numbers_are_nowhere(
    fleet: Fleet, client: httpx.AsyncClient, unpublished: Message
) -> None:
    """START=latest skips existing records; PRIVACY=drop keeps no number; too many early reports become dead letters."""
    async with fleet.topics() as topics:
        await topics.publish(unpublished.sent())
        settings = {
            **topics.settings,
            **CALLBACKS_ONLY,
            "SENT__START": "latest",
            "PRIVACY__RECIPIENT": "drop",
            "FOLLOW__PARK_MAX": "3",
            "FOLLOW__PARK_FOR": "1h",
            "TOPICS__JOURNAL_PARTITIONS": "1",
            "HTTP__TRUSTED_PROXIES": "",
            "DEXATEL__ALLOWED_NETWORKS": "127.0.0.1",
            "EVENTS__SOURCE": f"/sms-bridge/{topics.group}",
            "DEXATEL__STATUSES": '{"lost": {"status": "undelivered", "reason": "network", "permanent": false}}',
            "DEXATEL__CALLBACK__ID": "ref",
            "DEXATEL__TIMEZONE": "Africa/Nairobi",
        }
        async with fleet.running(settings) as service:
            bridge = Bridge(service, topics, client, SECRETS)

            async def begun() -> bool:
                return len([at for at in (await topics.fetch_committed("intake")).values() if at >= 0]) == 2

            await topics.wait_until_async(begun, "the intake's place is committed")
            await _drops_numbers(bridge)
            await _overflows(bridge)
            await _ignores_what_a_stranger_forwards(bridge)
            await topics.wait_until_folded()
            assert not [e for e in topics.entries if e["provider_message_id"] == unpublished.provider_message_id]


async def _drops_numbers(bridge: Bridge) -> None:
    one = message()
    await bridge.send_and_wait(one, recipient=NUMBER)
    local = f"{datetime.now(UTC).hour + 3:02d}" if datetime.now(UTC).hour < 21 else None
    at = f"{datetime.now(UTC):%Y-%m-%d} {local}:{datetime.now(UTC):%M:%S}" if local else ""
    query = {"ref": one.provider_message_id, "status": "LOST", "phone": "37410000017", "time": at}
    assert (await bridge.client.get(bridge.url("dexatel"), params=query)).status_code == 200
    [event] = await bridge.events(one)
    assert event["recipient"] is None
    assert (event["status"], event["reason"], event["permanent"]) == ("undelivered", "network", False)
    assert event["occurred_at_source"] == ("provider" if local else "observed")
    _assert_no_number(bridge.topics, one)


async def _overflows(bridge: Bridge) -> None:
    early = [f"{uuid4().hex}" for _ in range(5)]
    words = [f"ref={one}&status=delivered" for one in early]
    for query in words:
        assert (await bridge.client.get(f"{bridge.url('dexatel')}?{query}")).status_code == 200
    letters = bridge.topics.dead_letters
    await bridge.topics.wait_until(lambda: len(letters) >= 2, "the oldest leave")
    await bridge.topics.wait_until_folded()
    assert [letter.headers["reason"] for letter in letters] == ["parked_overflow"] * 2
    assert sorted(letter.value or b"" for letter in letters) == sorted(query.encode() for query in words[:2])
    kept = message(provider_message_id=early[4])
    await bridge.send(kept)
    await bridge.events(kept)


async def _ignores_what_a_stranger_forwards(bridge: Bridge) -> None:
    query = {"ref": uuid4().hex, "status": "received"}
    headers = {"x-forwarded-for": "198.51.100.1"}
    # No proxy is trusted, so the client's address is the peer's, which is allowed.
    answer = await bridge.client.get(bridge.url("dexatel"), params=query, headers=headers)
    assert answer.status_code == 200


def _entries(topics: Topics, one: Message) -> list[Any]:
    return [entry for entry in topics.entries if entry["provider_message_id"] == one.provider_message_id]


def _assert_no_number(topics: Topics, one: Message) -> None:
    """Check that no record of this message has the number, in any notation."""
    for record in (*_entries(topics, one), *topics.story(*one.attempt)):
        digits = "".join(filter(str.isdigit, (record.value or b"").decode()))
        assert "37410000017" not in digits
