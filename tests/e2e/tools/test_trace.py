"""`trace` finds a message by either id or its recipient, and shows the decisions."""

import asyncio
import os
from asyncio.subprocess import PIPE
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from tests.support.service.bridge import Bridge, Message, message
from tests.support.service.command import COMMAND, sms_bridge
from tests.support.service.fleet import Fleet
from tests.support.service.process import environment

Settings = Mapping[str, str]


async def traced(settings: Settings, *arguments: str) -> Any:
    """Run `trace --json` and return its output."""
    said = await sms_bridge(settings, "trace", *arguments, "--json")
    assert said.code == 0, said
    return said.document


async def story(settings: Settings, *arguments: str) -> Any:
    """Return the only attempt that it finds."""
    [attempt] = (await traced(settings, *arguments))["attempts"]
    return attempt


def decisions(attempt: Any) -> list[tuple[str, str]]:
    """Return the reports and the decisions."""
    return [(step["source"], step["decision"]) for step in attempt["timeline"]]


def key(one: Message) -> str:
    """Return an attempt's key."""
    return ":".join(one.attempt)


async def test_trace_shows_every_decision(installation: Bridge, settings: Settings) -> None:
    """Ignored reports are listed beside published events, with position and provider's words."""
    one = await installation.send_and_wait()
    await installation.report_all(one, "pending", "pending", "delivered", "sent", "failed", "levitating")
    events = await installation.events(one, 2)
    await installation.topics.wait_until_folded()
    attempt = await story(settings, one.message_id)
    assert decisions(attempt) == [
        ("sent", "followed"),
        ("callback", "published"),
        ("callback", "duplicate"),
        ("callback", "published"),
        ("callback", "late"),
        ("callback", "late"),
        ("callback", "unmapped"),
    ]
    told = [published for step in attempt["timeline"] for published in step["published"]]
    assert [(p["event_id"], p["partition"], p["offset"]) for p in told] == [
        (event["event_id"], event.partition, event.offset) for event in events
    ]
    assert [event["event"] for event in attempt["events"]] == [event.document for event in events]
    assert "levitating" in attempt["timeline"][-1]["entry"]["raw"]
    offsets = [entry.offset for entry in installation.topics.entries if (entry.key or b"").decode() == key(one)]
    assert [step["offset"] for step in attempt["timeline"]] == offsets
    assert (attempt["agrees"], attempt["now"], attempt["message_id"]) == (True, "final: delivered", one.message_id)


async def test_trace_accepts_either_id(installation: Bridge, settings: Settings) -> None:
    """The provider's id works with or without the account; another account's attempt isn't shown."""
    one = await installation.send_and_wait(message("dexatel", "second"))
    await installation.report_all(one, "delivered")
    await installation.events(one)
    for name in (one.message_id, key(one), f"dexatel:{one.provider_message_id}"):
        assert (await story(settings, name))["attempt"] == key(one)
    said = await sms_bridge(settings, "trace", f"dexatel:signed:{one.provider_message_id}", "--json")
    assert (said.code, said.document["attempts"]) == (1, [])


async def test_trace_as_text(installation: Bridge, settings: Settings) -> None:
    """The text shows status, provider's words, decisions and the current state."""
    one = await installation.send_and_wait(recipient="+254 700 000 001")
    await installation.report_all(one, "sent")
    await installation.events(one)
    said = await sms_bridge(settings, "trace", one.message_id)
    for word in (one.message_id, key(one), "+254 700 000 001", "published → sent #1", "next poll at", "gives up at"):
        assert word in said.out, said.out


async def test_trace_shows_deadline_and_correction(installation: Bridge, settings: Settings) -> None:
    """A timer has no entry; it is shown where it expired."""
    one = message()
    until = (datetime.now(UTC) + timedelta(seconds=2)).isoformat()
    await installation.send_and_wait(one, give_up_at=until)
    await installation.report_all(one, "sent")
    await installation.wait_for_final(one)
    await installation.report_all(one, "delivered")
    await installation.events(one, 3)
    attempt = await story(settings, one.message_id)
    assert decisions(attempt) == [
        ("sent", "followed"),
        ("callback", "published"),
        ("deadline", "published"),
        ("callback", "published"),
    ]
    assert "corrects" in attempt["timeline"][-1]["why"]
    assert attempt["agrees"]


async def test_trace_shows_a_late_sent_event(installation: Bridge, settings: Settings) -> None:
    """A sent event that was read after its deadline is shown with its dead letter."""
    one = message(age=timedelta(minutes=5))
    give_up_at = (datetime.now(UTC) - timedelta(minutes=4)).isoformat(timespec="milliseconds")
    await installation.send(one, give_up_at=give_up_at)
    letter = await installation.wait_for_dead_letter(reason="too_old", source_topic=installation.topics.sent[0])
    assert one.provider_message_id.encode() in (letter.value or b"")
    attempt = await story(settings, one.message_id)
    assert decisions(attempt) == [("sent", "too_old")]
    assert [found["headers"]["reason"] for found in attempt["dead_letters"]] == ["too_old"]


async def test_trace_shows_a_parked_report(installation: Bridge, settings: Settings) -> None:
    """A report that came before its sent event is shown once."""
    one = message()
    await installation.report_all(one, "sent")
    await installation.send(one)
    await installation.events(one)
    attempt = await story(settings, one.message_id)
    assert decisions(attempt) == [("callback", "parked"), ("sent", "followed")]
    assert [p["status"] for p in attempt["timeline"][1]["published"]] == ["sent"]
    assert attempt["agrees"]


async def test_trace_without_an_event(installation: Bridge, settings: Settings) -> None:
    """The journal is searched, and the output says until when the bridge waits."""
    one = await installation.send_and_wait()
    await installation.topics.wait_until_folded()
    found = await traced(settings, one.message_id)
    [attempt] = found["attempts"]
    assert (attempt["attempt"], decisions(attempt), found["complete"]) == (key(one), [("sent", "followed")], True)
    assert attempt["now"].startswith("waiting: no report yet; next poll at ")


async def test_thorough_trace_finds_attempts_without_events(installation: Bridge, settings: Settings) -> None:
    """A second attempt without an event is found only with --thorough."""
    first = await installation.send_and_wait()
    await installation.report_all(first, "failed")
    await installation.events(first)
    second = await installation.send_and_wait(message("speedocom", message_id=first.message_id))
    quick, thorough = await traced(settings, first.message_id), await traced(settings, first.message_id, "--thorough")
    assert [a["attempt"] for a in quick["attempts"]] == [key(first)]
    assert [a["attempt"] for a in thorough["attempts"]] == [key(first), key(second)]
    assert (quick["complete"], thorough["complete"]) == (False, True)


async def test_trace_shows_a_rejected_sent_event(installation: Bridge, settings: Settings) -> None:
    """The dead letter explains the reason."""
    one = message()
    await installation.send(one, provider="carrier-pigeon")
    await installation.wait_for_dead_letter(reason="unknown_provider", source_topic=installation.topics.sent[0])
    found = await traced(settings, one.message_id)
    assert found["attempts"] == []
    assert [letter["headers"]["reason"] for letter in found["dead_letters"]] == ["unknown_provider"]
    said = await sms_bridge(settings, "trace", one.message_id)
    assert "carrier-pigeon" in said.out


async def test_trace_of_a_message_whose_id_belongs_to_another(installation: Bridge, settings: Settings) -> None:
    """It says to which message, with that one's events; nothing there contradicts itself."""
    owner = await installation.send_and_wait(recipient="+254 700 000 002")
    other = message(provider_message_id=owner.provider_message_id)
    number = f"+254 701 {uuid4().int % 10**6:06}"
    await installation.send(other, recipient=number)
    await installation.wait_for_dead_letter(reason="conflict", source_topic=installation.topics.sent[0])
    await installation.report_all(owner, "delivered")
    await installation.wait_for_final(owner)
    attempt = await story(settings, other.message_id)
    assert attempt["summary"].startswith(
        f"{other.message_id} was refused: the provider's id belongs to message {owner.message_id}. "
        "That one's story: Delivered after "
    )
    assert (attempt["message_id"], attempt["now"], attempt["agrees"]) == (owner.message_id, "final: delivered", True)
    assert (attempt["tell_customer"], len(attempt["events"])) == (None, 1)
    [conflict] = [step["why"] for step in attempt["timeline"] if step["decision"] == "conflict"]
    assert conflict.endswith(f"it is of message {other.message_id}; the attempt belongs to {owner.message_id}")
    listed = await sms_bridge(settings, "trace", "--recipient", number)
    assert f"refused: it belongs to {owner.message_id}" in " ".join(listed.out.split()), listed.out


async def test_trace_exit_code_without_a_match(settings: Settings) -> None:
    """The exit code and the text say that nothing matched; part of an id doesn't match."""
    said = await sms_bridge(settings, "trace", f"m-{uuid4()}")
    assert said.code == 1
    assert "nothing since" in said.out
    unknown = await sms_bridge(settings, "trace", "foo:123")
    assert "foo isn't a configured provider; there is dexatel" in unknown.out


async def test_since_limits_the_search(installation: Bridge, settings: Settings) -> None:
    """Earlier records aren't read."""
    one = await installation.send_and_wait()
    await installation.report_all(one, "delivered")
    await installation.events(one)
    said = await sms_bridge(settings, "trace", one.message_id, "--since", "2999-01-01T00:00:00Z", "--json")
    assert (said.code, said.document["records_read"]) == (1, 0)


@pytest.mark.parametrize("written", ["+254700{0}{1}", "00254 700-{0}-{1}", "254700{0}{1}"])
async def test_trace_by_recipient(installation: Bridge, settings: Settings, written: str) -> None:
    """The number may be written in any format with the same digits."""
    number = f"{uuid4().int % 1_000_000:06}"
    recipient = written.format(number[:3], number[3:])
    mine = [await installation.send_and_wait(recipient=recipient) for _ in range(2)]
    await installation.send_and_wait(recipient=recipient + "9")
    asked = "".join(filter(str.isdigit, recipient))
    found = await traced(settings, "--recipient", f"+{asked}", "--since", "1h")
    assert {a["attempt"] for a in found["attempts"]} == {key(one) for one in mine}
    said = await sms_bridge(settings, "trace", "--recipient", asked)
    assert all(one.message_id in said.out for one in mine)


async def test_trace_by_hashed_recipient(fleet: Fleet, installation: Bridge) -> None:
    """The number is hashed with the same key; if numbers are dropped, the command says so."""
    async with fleet.topics() as topics:
        settings = {
            **installation.service.settings,
            **topics.settings,
            "PRIVACY__RECIPIENT": "hash",
            "PRIVACY__HASH_KEY": "a-key-for-hashes",
        }
        del settings["HTTP__PORT"], settings["ADMIN__PORT"], settings["STATE__DIRECTORY"]
        async with fleet.running(settings):
            one = message()
            await topics.publish(one.sent(recipient="+254 700 111 222"), key=one.message_id)
            await topics.wait_until(lambda: bool(topics.entries), "the journal has it")
        found = await traced(settings, "--recipient", "254700111222")
        kenyan = {**settings, "ADMIN__DEFAULT_REGION": "KE"}
        assert (await traced(kenyan, "--recipient", "0700 111222"))["attempts"] == found["attempts"]
        assert [a["attempt"] for a in found["attempts"]] == [key(one)]
        assert "254700111222" not in str(found["attempts"])
        said = await sms_bridge(
            {**settings, "PRIVACY__RECIPIENT": "drop"}, "trace", "--recipient", "254700111222", "--json"
        )
        assert said.code == 1
        assert "PRIVACY__RECIPIENT is drop" in said.err


async def test_trace_usage_errors(settings: Settings) -> None:
    """Both an id and a recipient, or neither, are usage errors."""
    assert (await sms_bridge(settings, "trace")).code == 2
    assert (await sms_bridge(settings, "trace", "m-1", "--recipient", "1")).code == 2
    assert (await sms_bridge(settings, "trace", "m-1", "--since", "yesterday")).code == 2


async def test_nobody_reads_on(installation: Bridge, settings: Settings) -> None:
    """`trace … | head` ends without a traceback when `head` has enough."""
    one = await installation.send_and_wait()
    reading, writing = os.pipe()
    os.close(reading)
    command = (*COMMAND, "trace", one.message_id)
    process = await asyncio.create_subprocess_exec(*command, env=environment(settings), stdout=writing, stderr=PIPE)
    os.close(writing)
    async with asyncio.timeout(60):
        _, errors = await process.communicate()
    assert errors == b""
