"""Dead letters that can be read now are appended to the journal; nothing else changes or is published twice."""

import json
import os
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import httpx
import pytest

from tests.support.service.accounts import CALLBACKS_ONLY, SECRETS
from tests.support.service.bridge import Bridge, message, signature
from tests.support.service.command import sms_bridge
from tests.support.service.fleet import Fleet
from tests.support.service.installation import HOOK_SECRET

Settings = Mapping[str, str]


async def replayed(settings: Settings, *arguments: str, code: int = 0) -> Any:
    """Run `replay --json` and return its output."""
    said = await sms_bridge(settings, "replay", *arguments, "--json")
    assert said.code == code, said
    return said.document


async def test_replay_uses_current_settings(installation: Bridge, settings: Settings) -> None:
    """After a setting names the parameter, the report counts once, with its original time."""
    one = await installation.send_and_wait()
    query = {"ref_of_ours": one.provider_message_id, "status": "delivered"}
    response = await installation.client.get(installation.url("dexatel"), params=query)
    assert response.status_code == 200
    letter = await installation.wait_for_dead_letter_of(
        f"ref_of_ours={one.provider_message_id}&status=delivered".encode()
    )
    mended = {**settings, "DEXATEL__CALLBACK__ID": "ref_of_ours"}
    assert (await replayed(settings, "--reason", "unreadable", "--dry-run", code=1))["totals"]["journaled"] == 0
    dry = await replayed(mended, "--reason", "unreadable", "--dry-run")
    [told] = [x for x in dry["letters"] if (x["partition"], x["offset"]) == (letter.partition, letter.offset)]
    assert (dry["dry_run"], told["fate"]) == (True, "journaled")
    await installation.topics.wait_until_folded()
    assert installation.story(one) == []
    for _ in range(2):
        await replayed(mended, "--reason", "unreadable")
        await installation.topics.wait_until_folded()
        [event] = installation.story(one)
        assert (event["status"], event["source"]) == ("delivered", "callback")
        assert event["observed_at"] == letter.headers["received_at"]


async def test_sent_event_is_replayed_from_its_topic(installation: Bridge, settings: Settings) -> None:
    """It is read with its headers, so that a CloudEvent in binary mode works."""
    one = message()
    theirs = one.sent(provider="DX")
    headers = {"ce_specversion": "1.0", "ce_id": "1", "ce_type": "sms.sent", "traceparent": "00-1-2-01"}
    sent = await installation.topics.publish(theirs, headers=headers)
    await installation.wait_for_dead_letter(source_partition=sent.partition, source_offset=sent.offset)
    mended = {**settings, "SENT__PROVIDERS": '{"DX":"dexatel"}', "SENT__WHERE": '{"/type":["sms.sent"]}'}
    did = await replayed(mended, "--reason", "invalid", "--provider", "dexatel")
    assert did["totals"]["journaled"] == 1
    await installation.report_all(one, "delivered")
    [event] = await installation.events(one)
    assert event.headers["traceparent"] == "00-1-2-01"


async def test_sent_event_past_its_deadline_is_not_replayed(installation: Bridge, settings: Settings) -> None:
    """The tracker would refuse it, and each replay would add a dead letter that nothing can mend."""
    one = message(age=timedelta(hours=60))
    sent = await installation.topics.publish(one.sent(provider="dx"))
    letter = await installation.wait_for_dead_letter(source_partition=sent.partition, source_offset=sent.offset)
    mended = {**settings, "SENT__PROVIDERS": '{"dx":"dexatel"}'}
    did = await replayed(mended, "--at", f"{letter.partition}/{letter.offset}")
    [told] = did["letters"]
    assert told["fate"] == "not_replayable"
    assert told["why"].startswith("too old to be followed: its deadline was ")


async def test_late_sent_event_matches_its_report(installation: Bridge, settings: Settings) -> None:
    """The expired report is replayed with the content and time of its journal entry."""
    one = message()
    await installation.report_all(one, "delivered")
    letter = await installation.wait_for_dead_letter(reason="unmatched")
    await installation.send_and_wait(one)
    await replayed(settings, "--reason", "unmatched")
    [event] = await installation.events(one)
    reports = [entry for entry in installation.topics.entries if entry["type"] == "report"]
    [first, _again] = [entry["observed_at"] for entry in reports if str(entry["raw"]).encode() == letter.value]
    assert (event["status"], event.timestamp) == ("delivered", first)
    assert event["observed_at"] != letter.headers["received_at"]


async def test_unfixable_dead_letter_stays(installation: Bridge, settings: Settings) -> None:
    """Conflicts are not replayed; limit and reason restrict the selection."""
    one = await installation.send_and_wait()
    await installation.topics.publish(json.dumps(one.sent(message_id="m-other")).encode())
    await installation.wait_for_dead_letter(reason="conflict")
    entries = len(installation.topics.entries)
    did = await replayed(settings, "--reason", "conflict")
    assert [x["fate"] for x in did["letters"]] == ["not_replayable"]
    await installation.topics.wait_until_folded()
    assert len(installation.topics.entries) == entries
    assert (await replayed(settings, "--since", "2999-01-01T00:00:00Z"))["letters"] == []


async def test_signed_webhook_is_replayed(installation: Bridge, settings: Settings) -> None:
    """A replay needs no signature, but other errors are still reported."""
    body = b'{"data":{"event":"delivery","channel":"sms","status":"DELIVERED"}}'
    headers = {"content-type": "application/json", "x-dexatel-signature": signature(HOOK_SECRET, body).hex()}
    response = await installation.client.post(installation.url("dexatel", "signed"), content=body, headers=headers)
    assert response.status_code == 200
    letter = await installation.wait_for_dead_letter_of(body)
    did = await replayed(settings, "--reason", "unreadable", "--dry-run", code=1)
    [told] = [x for x in did["letters"] if (x["partition"], x["offset"]) == (letter.partition, letter.offset)]
    assert (told["fate"], told["why"]) == ("still_bad", "unreadable: the id is missing")


async def test_replay_of_positions(installation: Bridge, settings: Settings) -> None:
    """Positions select dead letters exactly; those that aren't there select nothing."""
    values = [f"not JSON either {number}".encode() for number in range(3)]
    await installation.topics.publish_all(values)
    letters = [await installation.wait_for_dead_letter_of(value) for value in values]
    places = [(letter.partition, letter.offset) for letter in letters[:2]]
    chosen = [option for place in places for option in ("--at", "{}/{}".format(*place))]
    did = await replayed(settings, *chosen, "--dry-run", code=1)
    assert sorted((x["partition"], x["offset"]) for x in did["letters"]) == sorted(places)
    assert (await replayed(settings, *chosen, "--reason", "conflict"))["letters"] == []
    for gone in ("0/99999999", "77/0"):
        assert (await replayed(settings, "--at", gone, code=1))["letters"] == []


async def test_replay_prints_a_table(installation: Bridge, settings: Settings) -> None:
    """The table explains what still fails and ends with a total."""
    await installation.topics.publish(b"not JSON at all")
    await installation.wait_for_dead_letter_of(b"not JSON at all")
    said = await sms_bridge(settings, "replay", "--reason", "malformed", "--dry-run", "--limit", "1")
    assert said.code == 1
    assert "still unreadable" in said.out
    assert "not JSON" in said.out


@pytest.mark.parametrize(
    "arguments", [["--reason", "bad-luck"], ["--limit", "0"], ["--since", "soon"], ["--at", "3"], ["--at", "a/b"]]
)
async def test_replay_usage_errors(settings: Settings, arguments: list[str]) -> None:
    """A wrong option is a usage error, and nothing is replayed."""
    assert (await sms_bridge(settings, "replay", *arguments)).code == 2


async def test_replay_to_a_journal_of_small_messages(fleet: Fleet, client: httpx.AsyncClient) -> None:
    """Batches are as small as the service's own; a letter whose entry doesn't fit is named."""
    async with fleet.topics() as topics:
        config = json.dumps({topics.journal: {"max.message.bytes": "20000"}})
        settings = {**topics.settings, **CALLBACKS_ONLY, "TOPICS__CONFIG": config}
        async with fleet.running(settings) as service:
            bridge = Bridge(service, topics, client, SECRETS)
            messages = [message() for _ in range(30)]
            await topics.publish_all([one.sent() for one in messages])
            for number, one in enumerate(messages):
                text = os.urandom(1_500 if number else 6_000).hex()
                query = {"our_own_name": one.provider_message_id, "status": "delivered", "text": text}
                assert (await client.get(bridge.url("dexatel"), params=query)).status_code == 200
            await topics.wait_until(lambda: len(topics.dead_letters) == len(messages), "letters")
            mended = {**settings, "DEXATEL__CALLBACK__ID": "our_own_name"}
            said = await sms_bridge(mended, "replay", "--reason", "unreadable", "--json")
            assert said.document["totals"] == {"journaled": 29, "still_bad": 0, "ignored": 0, "not_replayable": 1}
            for one in messages[1:]:
                assert (await bridge.wait_for_final(one))["status"] == "delivered"
