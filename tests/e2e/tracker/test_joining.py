"""A report is joined with its message in any order, by provider, account and id."""

import json
from urllib.parse import urlencode

from tests.support.service.bridge import Bridge, message


async def test_early_callbacks_are_joined(bridge: Bridge) -> None:
    """Early reports are parked, and applied in their order when the sent event arrives."""
    one = message()
    await bridge.report_all(one, "pending", "delivered", "delivered")
    await bridge.topics.wait_until_folded()
    assert not bridge.story(one)
    await bridge.send(one, metadata={"late": "yes"})
    events = await bridge.events(one, 2)
    assert [event["status"] for event in events] == ["pending", "delivered"]
    assert all(event["metadata"] == {"late": "yes"} for event in events)
    assert not [x for x in bridge.topics.dead_letters if one.provider_message_id.encode() in (x.value or b"")]


async def test_unmatched_report_is_a_dead_letter(bridge: Bridge) -> None:
    """After the parking time it becomes a dead letter with its position in the journal."""
    one = message("speedocom", "second")
    words = json.dumps({"messageid": one.provider_message_id, "description": "DeliveredToTerminal", "timeTaken": "1s"})
    headers = {"content-type": "application/json"}
    response = await bridge.client.post(bridge.url("speedocom", "second"), content=words, headers=headers)
    assert response.status_code == 200
    letter = await bridge.wait_for_dead_letter_of(words.encode())
    assert letter.headers["reason"] == "unmatched"
    assert (letter.headers["provider"], letter.headers["account"]) == ("speedocom", "second")
    [entry] = [e for e in bridge.topics.entries if e["provider_message_id"] == one.provider_message_id]
    place = (entry.topic, str(entry.partition), str(entry.offset))
    assert tuple(letter.headers[f"source_{part}"] for part in ("topic", "partition", "offset")) == place
    assert not bridge.story(one)


async def test_unmatched_get_keeps_its_query(bridge: Bridge) -> None:
    """The dead letter of a GET is its raw query."""
    one = message()
    query = urlencode({"message_uuid": one.provider_message_id, "status": "delivered", "note": "a b+c/ü"})
    assert (await bridge.client.get(f"{bridge.url('dexatel')}?{query}")).status_code == 200
    letter = await bridge.wait_for_dead_letter_of(query.encode())
    assert letter.headers["reason"] == "unmatched"


async def test_leading_zeros_are_kept(bridge: Bridge) -> None:
    """`007` and `7` are different messages, for both providers and in each format."""
    with_zeros, without = message("speedocom"), message("speedocom")
    short = without.provider_message_id
    with_zeros = with_zeros._replace(provider_message_id=f"00{short}")
    await bridge.send_and_wait(with_zeros)
    await bridge.send_and_wait(without)
    await bridge.report_all(with_zeros, "AbsentSubscriber")
    await bridge.report_all(without, "DeliveredToTerminal")
    assert [e["status"] for e in await bridge.events(with_zeros)] == ["undelivered"]
    assert [e["status"] for e in await bridge.events(without)] == ["delivered"]


async def test_numeric_id_equals_its_digits(bridge: Bridge) -> None:
    """An id as a JSON number is the same id as its digits as text."""
    one = message("speedocom", provider_message_id=f"9{message().provider_message_id}")
    await bridge.send_and_wait(one, provider_message_id=int(one.provider_message_id))
    assert await bridge.report(one, "Queued", messageid=int(one.provider_message_id)) == 200
    await bridge.report_all(one, "DeliveredToTerminal")
    assert [e["status"] for e in await bridge.events(one, 2)] == ["pending", "delivered"]


async def test_accounts_are_separate(bridge: Bridge) -> None:
    """The same id in two accounts of a provider is two messages; the URL's secret selects the account."""
    one = message()
    other = message(account="second", provider_message_id=one.provider_message_id)
    await bridge.send_and_wait(one)
    await bridge.send_and_wait(other)
    await bridge.report_all(one, "delivered")
    await bridge.report_all(other, "pending", "failed")
    assert [e["status"] for e in await bridge.events(one)] == ["delivered"]
    assert [e["status"] for e in await bridge.events(other, 2)] == ["pending", "failed"]


async def test_message_sent_by_both_providers(bridge: Bridge) -> None:
    """Each attempt has its own sequence, with the same message id."""
    first = message()
    second = message("speedocom", message_id=first.message_id, provider_message_id=first.provider_message_id)
    await bridge.send_and_wait(first)
    await bridge.send_and_wait(second)
    await bridge.report_all(first, "sent", "failed")
    await bridge.report_all(second, "Queued", "DeliveredToTerminal")
    assert [e["sequence"] for e in await bridge.events(first, 2)] == [1, 2]
    assert [e["sequence"] for e in await bridge.events(second, 2)] == [1, 2]
    assert len({e["event_id"] for e in (*bridge.story(first), *bridge.story(second))}) == 4
