"""Callbacks become events: in every format of a provider, once, in order."""

from base64 import b64encode
from datetime import UTC, datetime, timedelta

import pytest

from tests.support.service.accounts import WEBHOOK_SECRET
from tests.support.service.bridge import Bridge, message, signature, webhook


def provider_clock(ago: timedelta = timedelta()) -> tuple[str, str]:
    """Write a time as providers do, and as events do."""
    moment = (datetime.now(UTC) - ago).replace(microsecond=0)
    return f"{moment:%Y-%m-%d %H:%M:%S}", f"{moment:%Y-%m-%dT%H:%M:%S}.000Z"


async def test_a_dexatel_get_becomes_the_event_that_consumers_are_promised(bridge: Bridge) -> None:
    """Every member of the event has the sender's or the provider's value."""
    written, expected = provider_clock()
    one = message(age=timedelta(seconds=90))
    await bridge.send_and_wait(one, recipient="+374 10 000000", sender="Shop", metadata={"order": "17"})
    assert await bridge.report(one, "delivered", err="000", timestamp=written) == 200
    [event] = await bridge.events(one)
    document = event.document
    assert document.pop("latency_seconds") == pytest.approx(90, abs=2)
    observed = document.pop("observed_at")
    assert abs(datetime.fromisoformat(observed) - datetime.now(UTC)) < timedelta(seconds=30)
    del document["event_id"]
    assert document == {
        **one._asdict(),
        "sent_at": one.sent_at.replace("+00:00", "Z"),
        "recipient": "+374 10 000000",
        "sender": "Shop",
        "outcome": "delivered",
        "status": "delivered",
        "final": True,
        "permanent": None,
        "reason": "none",
        "provider_status": "delivered",
        "provider_code": "000",
        "provider_details": {},
        "previous_status": None,
        "sequence": 1,
        "corrects": None,
        "source": "callback",
        "occurred_at": expected,
        "occurred_at_source": "provider",
        "metadata": {"order": "17"},
    }


async def test_a_dexatel_form_says_the_same_as_a_get(bridge: Bridge) -> None:
    """A classic callback may also be a form."""
    one = await bridge.send_and_wait()
    form = {"uuid": one.provider_message_id, "stat": "Failed", "error_code": "011"}
    response = await bridge.client.post(bridge.url("dexatel"), data=form)
    assert response.status_code == 200
    [event] = await bridge.events(one)
    assert (event["status"], event["reason"], event["permanent"]) == ("failed", "unspecified", None)
    assert (event["provider_status"], event["provider_code"]) == ("Failed", "011")
    assert event["occurred_at_source"] == "observed"


@pytest.mark.parametrize("form", ["hex", "base64"])
async def test_a_signed_webhook_is_read(bridge: Bridge, form: str) -> None:
    """The signature of the raw body is accepted in both encodings; details are published unchanged."""
    one = await bridge.send_and_wait(message(account="signed"))
    body = webhook(one, "EXPIRED", mccmnc="28301", price=0.0125, segments=2)
    digest = signature(WEBHOOK_SECRET, body)
    headers = {
        "content-type": "application/json",
        "x-dexatel-signature": digest.hex() if form == "hex" else b64encode(digest).decode(),
    }
    response = await bridge.client.post(bridge.url("dexatel", "signed"), content=body, headers=headers)
    assert response.status_code == 200
    [event] = await bridge.events(one)
    assert (event["status"], event["reason"], event["permanent"]) == ("expired", "validity_expired", False)
    assert event["provider_details"] == {"mccmnc": "28301", "price": "0.0125", "segments": "2"}


async def test_a_webhook_with_a_wrong_signature_changes_nothing(bridge: Bridge) -> None:
    """Without the right signature, the response is 401, and nothing is kept."""
    one = await bridge.send_and_wait(message(account="signed"))
    body = webhook(one)
    for wrong in ("", "0" * 64, signature("another secret", body).hex(), signature(WEBHOOK_SECRET, body + b" ").hex()):
        headers = {"content-type": "application/json", "x-dexatel-signature": wrong}
        response = await bridge.client.post(bridge.url("dexatel", "signed"), content=body, headers=headers)
        assert response.status_code == 401
    await bridge.topics.wait_until_folded()
    assert not bridge.story(one)
    assert sum(entry["provider_message_id"] == one.provider_message_id for entry in bridge.topics.entries) == 1


@pytest.mark.parametrize("shape", ["json", "form"])
async def test_a_speedocom_callback_becomes_one_event(bridge: Bridge, shape: str) -> None:
    """JSON and form have the same result; the turnaround is published."""
    written, expected = provider_clock()
    one = await bridge.send_and_wait(message("speedocom"))
    members = {
        "description": "DeliveredToTerminal",
        "messageid": one.provider_message_id,
        "timeTaken": "22s",
        "timestamp": written,
    }
    options = {"json": {"json": members}, "form": {"data": members}}[shape]
    response = await bridge.client.post(bridge.url("speedocom"), **options)  # type: ignore[arg-type]
    assert response.status_code == 200
    [event] = await bridge.events(one)
    assert (event["status"], event["outcome"], event["source"]) == ("delivered", "delivered", "callback")
    assert (event["provider_status"], event["provider_details"]) == ("DeliveredToTerminal", {"tat": "22s"})
    assert (event["occurred_at"], event["occurred_at_source"]) == (expected, "provider")


MAPPING = [
    ("dexatel", "scheduled", "scheduled", None, "none"),
    ("dexatel", "pending", "pending", None, "none"),
    ("dexatel", "enroute", "pending", None, "none"),
    ("dexatel", "sent", "sent", None, "none"),
    ("dexatel", "delivered", "delivered", None, "none"),
    ("dexatel", "SEEN", "delivered", None, "none"),
    ("dexatel", "failed", "failed", None, "unspecified"),
    ("dexatel", "rejected", "rejected", None, "unspecified"),
    ("dexatel", "expired", "expired", False, "validity_expired"),
    ("speedocom", "DeliveredToTerminal", "delivered", None, "none"),
    ("speedocom", "DelivredToTerminal", "delivered", None, "none"),
    ("speedocom", "DeliveredToNetwork", "sent", None, "none"),
    ("speedocom", "SentToNetwork", "sent", None, "none"),
    ("speedocom", "ForwardedToNetwork", "sent", None, "none"),
    ("speedocom", "Scheduled", "scheduled", None, "none"),
    ("speedocom", "MessageWaiting", "pending", None, "none"),
    ("speedocom", "Queued", "pending", None, "none"),
    ("speedocom", "DeliveryUncertain", "sent", None, "none"),
    ("speedocom", "AbsentSubscriber", "undelivered", None, "absent_subscriber"),
    ("speedocom", "Delivery Impossible", "undelivered", None, "unspecified"),
    ("speedocom", "UserNotExist", "rejected", True, "invalid_number"),
    ("speedocom", "InvalidMsisdn", "rejected", True, "invalid_number"),
    ("speedocom", "InvalidMobile", "rejected", True, "invalid_number"),
    ("speedocom", "SenderName Blacklisted", "rejected", True, "blocked_by_recipient"),
    ("speedocom", "UserInBlacklist", "rejected", True, "blocked_by_recipient"),
    ("speedocom", "Invalid Source Address", "rejected", True, "sender_rejected"),
    ("speedocom", "Insufficient_Balance", "rejected", False, "insufficient_credit"),
    ("speedocom", "Expired", "expired", False, "validity_expired"),
    ("speedocom", "MessagePurged", "expired", False, "validity_expired"),
    ("speedocom", "REJECTD", "rejected", None, "unspecified"),
    ("speedocom", "MessageRejected", "rejected", None, "unspecified"),
    ("speedocom", "Unknown", "unknown", None, "unspecified"),
]


async def test_every_word_of_both_providers_means_what_the_table_says(bridge: Bridge) -> None:
    """Every known status has its meaning, permanence and reason; its original spelling is published."""
    messages = [message(provider) for provider, *_ in MAPPING]
    await bridge.topics.publish_all([one.sent() for one in messages])
    for one, (_, word, *_) in zip(messages, MAPPING, strict=True):
        await bridge.report_all(one, word)
    for one, (provider, word, status, permanent, reason) in zip(messages, MAPPING, strict=True):
        [event] = await bridge.events(one)
        published = (provider, event["provider_status"], event["status"], event["permanent"], event["reason"])
        assert published == (provider, word, status, permanent, reason)


@pytest.mark.parametrize(("provider", "word"), [("dexatel", "received"), ("speedocom", "Teleported")])
async def test_unmapped_status_is_journaled_only(bridge: Bridge, provider: str, word: str) -> None:
    """The attempt continues; the log and the journal have the unmapped status."""
    one = await bridge.send_and_wait(message(provider))
    await bridge.report_all(one, word)
    await bridge.report_all(one, {"dexatel": "delivered", "speedocom": "DeliveredToTerminal"}[provider])
    [event] = await bridge.events(one)
    assert event["status"] == "delivered"
    reports = [e for e in bridge.topics.entries if e["type"] == "report" and e["provider_status"] == word]
    assert [e["status"] for e in reports if e["provider_message_id"] == one.provider_message_id] == [None]
    assert word in bridge.service.log


async def test_five_identical_callbacks_are_one_event(bridge: Bridge) -> None:
    """Repeated callbacks don't repeat the event."""
    one = await bridge.send_and_wait()
    await bridge.report_all(one, *["delivered"] * 5)
    await bridge.topics.wait_until_folded()
    [event] = await bridge.events(one)
    assert event["status"] == "delivered"
    reports = [e for e in bridge.topics.entries if e["provider_message_id"] == one.provider_message_id]
    assert len(reports) == 1 + 5


async def test_out_of_order_reports_are_published_in_order(bridge: Bridge) -> None:
    """No status goes back; only delivered corrects a final status, and names the event that it corrects."""
    one = await bridge.send_and_wait()
    await bridge.report_all(one, "pending", "sent", "pending", "failed", "sent", "delivered")
    await bridge.topics.wait_until_folded()
    events = await bridge.events(one, 4)
    assert [event["status"] for event in events] == ["pending", "sent", "failed", "delivered"]
    assert [event["sequence"] for event in events] == [1, 2, 3, 4]
    assert [event["previous_status"] for event in events] == [None, "pending", "sent", "failed"]
    assert [event["corrects"] for event in events] == [None, None, None, events[2]["event_id"]]
