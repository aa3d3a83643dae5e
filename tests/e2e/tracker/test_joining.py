"""A report finds the message that it is about, whichever comes first; whose it is, id, account and provider tell."""

import json
from urllib.parse import urlencode

from tests.support.service.bridge import Bridge, message


async def test_callbacks_that_came_before_their_sent_are_joined_with_it(bridge: Bridge) -> None:
    """Reports wait for the sent event, and are then applied in the order in which they came."""
    one = message()
    await bridge.tell(one, "pending", "delivered", "delivered")
    await bridge.topics.settled()
    assert not bridge.story(one)
    await bridge.send(one, metadata={"late": "yes"})
    events = await bridge.events(one, 2)
    assert [event["status"] for event in events] == ["pending", "delivered"]
    assert all(event["metadata"] == {"late": "yes"} for event in events)
    assert not [x for x in bridge.topics.letters if one.provider_message_id.encode() in (x.value or b"")]


async def test_unmatched_report_becomes_a_dead_letter(bridge: Bridge) -> None:
    """After the time to wait is over, somebody can look at what the provider said, and where it is in the journal."""
    one = message("speedocom", "second")
    words = json.dumps({"messageid": one.provider_message_id, "description": "DeliveredToTerminal", "timeTaken": "1s"})
    headers = {"content-type": "application/json"}
    response = await bridge.client.post(bridge.url("speedocom", "second"), content=words, headers=headers)
    assert response.status_code == 200
    letter = await bridge.letter_of(words.encode())
    assert letter.headers["reason"] == "unmatched"
    assert (letter.headers["provider"], letter.headers["account"]) == ("speedocom", "second")
    [entry] = [e for e in bridge.topics.entries if e["provider_message_id"] == one.provider_message_id]
    place = (entry.topic, str(entry.partition), str(entry.offset))
    assert tuple(letter.headers[f"source_{part}"] for part in ("topic", "partition", "offset")) == place
    assert not bridge.story(one)


async def test_a_get_that_nobody_sent_is_a_dead_letter_of_its_raw_query(bridge: Bridge) -> None:
    """What is kept of a GET is its query, byte for byte."""
    one = message()
    query = urlencode({"message_uuid": one.provider_message_id, "status": "delivered", "note": "a b+c/ü"})
    assert (await bridge.client.get(f"{bridge.url('dexatel')}?{query}")).status_code == 200
    letter = await bridge.letter_of(query.encode())
    assert letter.headers["reason"] == "unmatched"


async def test_leading_zeros_of_an_id_are_never_lost(bridge: Bridge) -> None:
    """`007` and `7` are different messages, to both providers and in every shape."""
    with_zeros, without = message("speedocom"), message("speedocom")
    short = without.provider_message_id
    with_zeros = with_zeros._replace(provider_message_id=f"00{short}")
    await bridge.followed(with_zeros)
    await bridge.followed(without)
    await bridge.tell(with_zeros, "AbsentSubscriber")
    await bridge.tell(without, "DeliveredToTerminal")
    assert [e["status"] for e in await bridge.events(with_zeros)] == ["undelivered"]
    assert [e["status"] for e in await bridge.events(without)] == ["delivered"]


async def test_an_id_as_a_json_number_is_the_same_id(bridge: Bridge) -> None:
    """A sender or a provider that writes the id as a number means the number's digits."""
    one = message("speedocom", provider_message_id=f"9{message().provider_message_id}")
    await bridge.followed(one, provider_message_id=int(one.provider_message_id))
    assert await bridge.report(one, "Queued", messageid=int(one.provider_message_id)) == 200
    await bridge.tell(one, "DeliveredToTerminal")
    assert [e["status"] for e in await bridge.events(one, 2)] == ["pending", "delivered"]


async def test_accounts_of_one_provider_with_the_same_id_stay_apart(bridge: Bridge) -> None:
    """The secret in the URL tells the account; the other account's message is another message."""
    one = message()
    other = message(account="second", provider_message_id=one.provider_message_id)
    await bridge.followed(one)
    await bridge.followed(other)
    await bridge.tell(one, "delivered")
    await bridge.tell(other, "pending", "failed")
    assert [e["status"] for e in await bridge.events(one)] == ["delivered"]
    assert [e["status"] for e in await bridge.events(other, 2)] == ["pending", "failed"]


async def test_a_message_tried_at_both_providers_has_two_stories(bridge: Bridge) -> None:
    """Each attempt has its own sequence, under the one message id."""
    first = message()
    second = message("speedocom", message_id=first.message_id, provider_message_id=first.provider_message_id)
    await bridge.followed(first)
    await bridge.followed(second)
    await bridge.tell(first, "sent", "failed")
    await bridge.tell(second, "Queued", "DeliveredToTerminal")
    assert [e["sequence"] for e in await bridge.events(first, 2)] == [1, 2]
    assert [e["sequence"] for e in await bridge.events(second, 2)] == [1, 2]
    assert len({e["event_id"] for e in (*bridge.story(first), *bridge.story(second))}) == 4
