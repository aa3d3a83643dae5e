"""What happened to a message is found by either id and by its recipient, and told as it was decided."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from tests.support.service.bridge import Bridge, Message, message
from tests.support.service.command import sms_bridge
from tests.support.service.fleet import Fleet

Settings = Mapping[str, str]


async def traced(settings: Settings, *arguments: str) -> Any:
    """What `trace --json` finds."""
    said = await sms_bridge(settings, "trace", *arguments, "--json")
    assert said.code == 0, said
    return said.document


async def story(settings: Settings, *arguments: str) -> Any:
    """The one attempt that it finds."""
    [attempt] = (await traced(settings, *arguments))["attempts"]
    return attempt


def decisions(attempt: Any) -> list[tuple[str, str]]:
    """What came, and what was decided."""
    return [(step["source"], step["decision"]) for step in attempt["timeline"]]


def key(one: Message) -> str:
    """An attempt's key."""
    return ":".join(one.attempt)


async def test_a_story_is_told_with_every_decision(installation: Bridge, settings: Settings) -> None:
    """What was ignored is there beside what was published, each with its place and the provider's own words."""
    one = await installation.followed()
    await installation.tell(one, "pending", "pending", "delivered", "sent", "failed", "levitating")
    events = await installation.events(one, 2)
    await installation.topics.settled()
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


async def test_either_id_leads_to_it(installation: Bridge, settings: Settings) -> None:
    """The provider's id is enough, with or without the account; another account's isn't shown."""
    one = await installation.followed(message("dexatel", "second"))
    await installation.tell(one, "delivered")
    await installation.events(one)
    for name in (one.message_id, key(one), f"dexatel:{one.provider_message_id}"):
        assert (await story(settings, name))["attempt"] == key(one)
    said = await sms_bridge(settings, "trace", f"dexatel:signed:{one.provider_message_id}", "--json")
    assert (said.code, said.document["attempts"]) == (1, [])


async def test_people_read_it_too(installation: Bridge, settings: Settings) -> None:
    """The same on paper: status, words, decisions, and what is true now."""
    one = await installation.followed(recipient="+254 700 000 001")
    await installation.tell(one, "sent")
    await installation.events(one)
    said = await sms_bridge(settings, "trace", one.message_id)
    for word in (one.message_id, key(one), "+254 700 000 001", "published → sent #1", "next poll at", "gives up at"):
        assert word in said.out, said.out


async def test_a_deadline_and_its_correction_are_part_of_the_story(installation: Bridge, settings: Settings) -> None:
    """A timer writes no entry; it is told where it ran out."""
    one = message()
    until = (datetime.now(UTC) + timedelta(seconds=2)).isoformat()
    await installation.followed(one, give_up_at=until)
    await installation.tell(one, "sent")
    await installation.final(one)
    await installation.tell(one, "delivered")
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


async def test_what_came_too_late_is_told_with_its_dead_letter(installation: Bridge, settings: Settings) -> None:
    """The sent event's end had passed when it was read."""
    one = message()
    await installation.send(one, give_up_at=one.sent_at)
    letter = await installation.letter(reason="too_old", source_topic=installation.topics.sent[0])
    assert one.provider_message_id.encode() in (letter.value or b"")
    attempt = await story(settings, one.message_id)
    assert decisions(attempt) == [("sent", "too_old")]
    assert [found["headers"]["reason"] for found in attempt["dead_letters"]] == ["too_old"]


async def test_an_early_report_waits_and_is_picked_up(installation: Bridge, settings: Settings) -> None:
    """The report came before the sent event; the story says so, and nothing is told twice."""
    one = message()
    await installation.tell(one, "sent")
    await installation.send(one)
    await installation.events(one)
    attempt = await story(settings, one.message_id)
    assert decisions(attempt) == [("callback", "parked"), ("sent", "followed")]
    assert [p["status"] for p in attempt["timeline"][1]["published"]] == ["sent"]
    assert attempt["agrees"]


async def test_a_message_without_an_event_is_found(installation: Bridge, settings: Settings) -> None:
    """Nothing was reported yet: the journal is searched, and says until when it is waited for."""
    one = await installation.followed()
    await installation.topics.settled()
    found = await traced(settings, one.message_id)
    [attempt] = found["attempts"]
    assert (attempt["attempt"], decisions(attempt), found["complete"]) == (key(one), [("sent", "followed")], True)
    assert attempt["now"].startswith("waiting: no report yet; next poll at ")


async def test_attempts_without_an_event_are_found_when_asked_for(installation: Bridge, settings: Settings) -> None:
    """A second attempt beside one that has events takes a thorough search."""
    first = await installation.followed()
    await installation.tell(first, "failed")
    await installation.events(first)
    second = await installation.followed(message("speedocom", message_id=first.message_id))
    quick, thorough = await traced(settings, first.message_id), await traced(settings, first.message_id, "--thorough")
    assert [a["attempt"] for a in quick["attempts"]] == [key(first)]
    assert [a["attempt"] for a in thorough["attempts"]] == [key(first), key(second)]
    assert (quick["complete"], thorough["complete"]) == (False, True)


async def test_a_sent_event_that_became_no_attempt_is_found(installation: Bridge, settings: Settings) -> None:
    """Its dead letter says why."""
    one = message()
    await installation.send(one, provider="carrier-pigeon")
    await installation.letter(reason="unknown_provider", source_topic=installation.topics.sent[0])
    found = await traced(settings, one.message_id)
    assert found["attempts"] == []
    assert [letter["headers"]["reason"] for letter in found["dead_letters"]] == ["unknown_provider"]
    said = await sms_bridge(settings, "trace", one.message_id)
    assert "carrier-pigeon" in said.out


async def test_nothing_found_is_an_exit_code(settings: Settings) -> None:
    """A script can tell; so can a person. A part of an id isn't it."""
    said = await sms_bridge(settings, "trace", f"m-{uuid4()}")
    assert said.code == 1
    assert "nothing since" in said.out


async def test_since_bounds_the_search(installation: Bridge, settings: Settings) -> None:
    """What came before isn't read."""
    one = await installation.followed()
    await installation.tell(one, "delivered")
    await installation.events(one)
    said = await sms_bridge(settings, "trace", one.message_id, "--since", "2999-01-01T00:00:00Z", "--json")
    assert (said.code, said.document["records_read"]) == (1, 0)


@pytest.mark.parametrize("written", ["+254700000{n}", "00254 700-000-{n}", "254700000{n}"])
async def test_a_recipients_attempts_are_listed(installation: Bridge, settings: Settings, written: str) -> None:
    """However the number is written, as long as its digits are the same; nobody else's are shown."""
    number = f"{uuid4().int % 1000:03}"
    recipient = written.format(n=number)
    mine = [await installation.followed(recipient=recipient) for _ in range(2)]
    await installation.followed(recipient=recipient + "9")
    asked = "".join(filter(str.isdigit, recipient))
    found = await traced(settings, "--recipient", f"+{asked}", "--since", "1h")
    assert {a["attempt"] for a in found["attempts"]} == {key(one) for one in mine}
    said = await sms_bridge(settings, "trace", "--recipient", asked)
    assert all(one.message_id in said.out for one in mine)


async def test_a_hashed_recipient_is_found_and_a_dropped_one_cant_be(fleet: Fleet, installation: Bridge) -> None:
    """The number is hashed with the same key to be compared; where nothing is kept, that is said."""
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
            await topics.until(lambda: bool(topics.entries), "the journal has it")
        found = await traced(settings, "--recipient", "254700111222")
        assert [a["attempt"] for a in found["attempts"]] == [key(one)]
        assert "254700111222" not in str(found["attempts"])
        said = await sms_bridge(
            {**settings, "PRIVACY__RECIPIENT": "drop"}, "trace", "--recipient", "254700111222", "--json"
        )
        assert said.code == 1
        assert "PRIVACY__RECIPIENT is drop" in said.err


async def test_a_question_has_one_subject(settings: Settings) -> None:
    """Neither and both are mistakes of usage."""
    assert (await sms_bridge(settings, "trace")).code == 2
    assert (await sms_bridge(settings, "trace", "m-1", "--recipient", "1")).code == 2
    assert (await sms_bridge(settings, "trace", "m-1", "--since", "yesterday")).code == 2
