"""Records of the sent topic: valid events are followed, invalid ones become dead letters, and intake continues."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support.kafka.raw import RawRecord, write_raw
from tests.support.service.accounts import OLD, RECENT
from tests.support.service.bridge import Bridge, message

BAD: list[tuple[str, str, dict[str, Any]]] = [
    ("no message id", "invalid", {"message_id": None}),
    ("an empty message id", "invalid", {"message_id": ""}),
    ("no provider", "invalid", {"provider": None}),
    ("no provider's id", "invalid", {"provider_message_id": None}),
    ("an odd name for a provider", "invalid", {"provider": "Dexatel!"}),
    ("an unknown provider", "unknown_provider", {"provider": "carrier-pigeon"}),
    ("an unknown account", "unknown_account", {"account": "nobodys"}),
    ("a long id", "invalid", {"provider_message_id": "9" * 129}),
    ("a long id in few characters", "invalid", {"provider_message_id": "\u00fc" * 65}),
    ("a number beyond 64 bits", "invalid", {"provider_message_id": 2**64}),
    ("a fraction for an id", "invalid", {"provider_message_id": 1.5}),
    ("a whole number written as a fraction", "invalid", {"message_id": 7.0}),
    ("a message long over", "too_old", {"sent_at": "2020-01-01T00:00:00Z"}),
]


@pytest.mark.parametrize(("what", "reason", "members"), BAD, ids=[what for what, *_ in BAD])
async def test_invalid_sent_event_becomes_a_dead_letter(
    bridge: Bridge, what: str, reason: str, members: dict[str, Any]
) -> None:
    """The dead letter has the original bytes, key and position; the next event is followed."""
    bad, good = message(), message()
    value = json.dumps(bad.sent(**members), indent=1, ensure_ascii=False).encode()
    if members.get("message_id", "") is None:
        value = value.replace(b"{", b'{"message_id": null, ', 1)
    sent = await bridge.topics.publish(value, key=bad.message_id)
    await bridge.send(good)
    letter = await bridge.wait_for_dead_letter(
        source_topic=sent.topic, source_partition=sent.partition, source_offset=sent.offset
    )
    assert letter.headers["reason"] == reason
    assert letter.value == value
    assert letter.key == bad.message_id.encode()
    await bridge.report_all(good, "delivered")
    assert [e["status"] for e in await bridge.events(good)] == ["delivered"]


@pytest.mark.parametrize("value", [b"not JSON", b"", b"[1]", b'"text"', b"\xff\xfe", b'{"message_id":'])
async def test_what_isnt_json_is_malformed(bridge: Bridge, value: bytes) -> None:
    """The dead letter has the original bytes."""
    sent = await bridge.topics.publish(value, key="k")
    letter = await bridge.wait_for_dead_letter(
        source_topic=sent.topic, source_partition=sent.partition, source_offset=sent.offset
    )
    assert (letter.headers["reason"], letter.value, letter.key) == ("malformed", value, b"k")


ODD_VALUES = {
    "base64 that isn't ASCII": '{"specversion": "1.0", "data_base64": "\u00e9"}'.encode(),
    "objects nested 1,000 deep": b'{"metadata": ' + b'{"a":' * 1_000 + b"1" + b"}" * 1_001,
    "lists nested 100,000 deep": b'{"metadata": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
}


@pytest.mark.parametrize("value", ODD_VALUES.values(), ids=list(ODD_VALUES))
async def test_an_odd_record_stops_nothing(bridge: Bridge, value: bytes) -> None:
    """Whatever a sender writes becomes a dead letter, and the next event is followed."""
    good = message()
    await bridge.topics.publish_all([value, good.sent()], headers={"x": None, "ce_id": None}, key="odd")
    letter = await bridge.wait_for_dead_letter_of(value)
    assert letter.headers["reason"] in {"malformed", "invalid", "internal"}
    await bridge.report_all(good, "delivered")
    await bridge.events(good)


async def test_headers_without_a_value_are_accepted(bridge: Bridge) -> None:
    """Kafka allows headers with a null value (KIP-82)."""
    one = message()
    await bridge.topics.publish(one.sent(), headers={"traceparent": None, "content-type": None, "ce_type": None})
    await bridge.report_all(one, "delivered")
    await bridge.events(one)


async def test_an_attempt_belongs_to_one_message(bridge: Bridge) -> None:
    """A second message with the same provider's id is a conflict: it becomes a dead letter, and the first continues."""
    one = await bridge.send_and_wait()
    thief = json.dumps(one.sent(message_id="m-thief")).encode()
    await bridge.topics.publish(thief, key="m-thief")
    letter = await bridge.wait_for_dead_letter_of(thief)
    assert letter.headers["reason"] == "conflict"
    assert letter.key == b"m-thief"
    await bridge.report_all(one, "delivered")
    assert [e["message_id"] for e in await bridge.events(one)] == [one.message_id]


async def test_the_same_sent_event_again_changes_nothing(bridge: Bridge) -> None:
    """A repeated sent event is ignored, before and after the end."""
    one = await bridge.send_and_wait()
    await bridge.send(one)
    await bridge.report_all(one, "delivered")
    await bridge.events(one)
    await bridge.send(one)
    await bridge.topics.wait_until_folded()
    await bridge.events(one)
    assert not [x for x in bridge.topics.dead_letters if one.provider_message_id.encode() in (x.value or b"")]


async def test_metadata_too_large_for_the_journal_is_left_out(bridge: Bridge) -> None:
    """Its message is followed without it, and so are its neighbours."""
    large, good = message(), message()
    value = json.dumps(large.sent(metadata={"x": "y" * 700_000})).encode()
    await bridge.topics.publish_all([value, good.sent(metadata={"x": "z"})], key=large.message_id)
    for one, metadata in ((large, {}), (good, {"x": "z"})):
        await bridge.report_all(one, "delivered")
        [event] = await bridge.events(one)
        assert event["metadata"] == metadata


async def test_a_large_sent_event_is_carried_into_its_events(bridge: Bridge) -> None:
    """An event just below the limit fits in the journal, the state and each delivery event."""
    one = message()
    await bridge.send(one, metadata={"x": "\u00fc" * 200_000})
    await bridge.report_all(one, "sent", "delivered")
    events = await bridge.events(one, 2)
    assert len(events[-1].document["metadata"]["x"]) == 200_000


async def test_tombstones_are_skipped(bridge: Bridge) -> None:
    """A null value is counted as skipped, and doesn't become a dead letter."""
    name = 'sms_bridge_sent_skipped_total{reason="tombstone"}'
    before, letters = await bridge.service.read_sample(name), len(bridge.topics.dead_letters)
    await bridge.topics.publish(None, key="gone")
    await bridge.topics.wait_until_folded()
    assert await bridge.service.read_sample(name) == before + 1
    assert len(bridge.topics.dead_letters) == letters


async def test_null_counts_as_absent_and_strangers_are_ignored(bridge: Bridge) -> None:
    """Optional members may be null, and unknown members are allowed."""
    one = message()
    event = one.sent() | dict.fromkeys(("account", "recipient", "sender", "scheduled_at", "give_up_at", "metadata"))
    await bridge.topics.publish({**event, "campaign": {"deep": [1, 2]}})
    await bridge.report_all(one, "delivered")
    [delivered] = await bridge.events(one)
    event = delivered.document
    assert (event["account"], event["recipient"], event["sender"], event["metadata"]) == ("default", None, None, {})


async def test_ids_as_numbers_are_their_digits(bridge: Bridge) -> None:
    """Both ids may be JSON integers; events have them as text."""
    one = message(message_id=str(2**63 + 5))
    await bridge.topics.publish(
        one.sent(message_id=int(one.message_id), provider_message_id=int(one.provider_message_id))
    )
    await bridge.report_all(one, "delivered")
    [event] = await bridge.events(one)
    assert (event["message_id"], event["provider_message_id"]) == (one.message_id, one.provider_message_id)


async def test_traceparent_is_propagated(bridge: Bridge) -> None:
    """Each delivery event has the `traceparent` of its sent event as a header, or none."""
    traced, plain = message(), message()
    parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    await bridge.topics.publish(traced.sent(), key="k", headers={"traceparent": parent, "other": "x"})
    await bridge.send(plain)
    for one in (traced, plain):
        await bridge.report_all(one, "sent", "delivered")
    assert [e.headers.get("traceparent") for e in await bridge.events(traced, 2)] == [parent, parent]
    assert [e.headers.get("traceparent") for e in await bridge.events(plain, 2)] == [None, None]


async def test_times_are_converted_to_utc(bridge: Bridge) -> None:
    """RFC 3339 offsets and fractions are accepted; events have UTC and milliseconds."""
    one = message()
    local = datetime.now(UTC) + timedelta(hours=5, minutes=30)
    await bridge.send(one, sent_at=f"{local:%Y-%m-%dT%H:%M:%S}.123456+05:30")
    await bridge.report_all(one, "delivered")
    [event] = await bridge.events(one)
    assert event["sent_at"] == f"{local - timedelta(hours=5, minutes=30):%Y-%m-%dT%H:%M:%S}.123Z"


async def test_intake_begins_at_the_horizon(bridge: Bridge) -> None:
    """Without committed offsets, only events younger than the give-up time are read."""
    await bridge.report_all(RECENT, "delivered")
    assert [e["status"] for e in await bridge.events(RECENT)] == ["delivered"]
    await bridge.topics.wait_until_folded()
    assert not bridge.story(OLD)
    assert not [e for e in bridge.topics.entries if e["provider_message_id"] == OLD.provider_message_id]


async def test_partition_is_compatible_with_java(bridge: Bridge) -> None:
    """An event's partition is the one that a Java client would choose for its key."""
    from confluent_kafka import Producer  # noqa: PLC0415 - the independent opinion

    messages = [message() for _ in range(12)]
    await bridge.topics.publish_all([one.sent() for one in messages])
    for one in messages:
        await bridge.report_all(one, "delivered")
    events = [(await bridge.events(one))[0] for one in messages]
    reference = f"{bridge.topics.group}.reference"
    await bridge.topics.create([reference], 3)
    chosen: dict[bytes | None, int] = {}
    producer: Any = Producer(
        {"bootstrap.servers": bridge.topics.settings["KAFKA__BOOTSTRAP_SERVERS"], "partitioner": "murmur2"}
    )
    for event in events:
        producer.produce(
            reference, b"", event.key, on_delivery=lambda _error, m: chosen.update({m.key(): m.partition()})
        )
    assert producer.flush(20) == 0
    assert {event.key: event.partition for event in events} == chosen


async def test_header_names_that_are_not_utf8(bridge: Bridge) -> None:
    """A sent event with such headers is followed, and so are those beside it."""
    messages = [message() for _ in range(3)]
    records = [
        RawRecord(one.message_id.encode(), json.dumps(one.sent()).encode(), [(name, None), (b"b", name)])
        for one, name in zip(messages, (b"plain", b"\xff\xfe", b"\xc3"), strict=True)
    ]
    await write_raw(bridge.topics.settings["KAFKA__BOOTSTRAP_SERVERS"], bridge.topics.sent[0], records)
    for one in messages:
        await bridge.report_all(one, "delivered")
        assert [e["status"] for e in await bridge.events(one)] == ["delivered"]
