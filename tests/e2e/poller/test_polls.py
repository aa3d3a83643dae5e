"""Polls find reports whose callbacks were lost: on schedule, until the final status, whatever the provider answers."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import NamedTuple
from urllib.parse import unquote

import pytest
import pytest_asyncio

from tests.support.service.bridge import Bridge, Message, message
from tests.support.service.providers import (
    API_KEY,
    NO_DLR,
    NOT_FOUND,
    PARTNER_ID,
    TOKEN,
    Hang,
    Providers,
    Reply,
    dexatel_says,
    speedocom_says,
)

CASES = {
    "dexatel": ("polled", NOT_FOUND, dexatel_says("sent"), dexatel_says("delivered")),
    "speedocom": ("polled", NO_DLR, speedocom_says("SentToNetwork"), speedocom_says("DeliveredToTerminal")),
}
NO_REPORT = {
    "dexatel 404": ("dexatel", NOT_FOUND),
    "dexatel 404 without a body": ("dexatel", Reply(b"", 404)),
    "dexatel 1501 with 200": ("dexatel", Reply({"errors": [{"code": 1501, "message": "not found"}]})),
    "dexatel 1501 with 400": ("dexatel", Reply({"errors": [{"code": 1501, "message": "not found"}]}, 400)),
    "speedocom 1009 with 200": ("speedocom", NO_DLR),
    "speedocom 1009 with 404": ("speedocom", NO_DLR._replace(status=404)),
    "speedocom 1008": ("speedocom", Reply({"respose-code": 1008, "response-description": "no report"})),
}
ENDS = {"dexatel": dexatel_says("delivered"), "speedocom": speedocom_says("DeliveredToTerminal")}


def entries_of(bridge: Bridge, one: Message) -> int:
    """Return the number of journal entries of a message."""
    return sum(entry["provider_message_id"] == one.provider_message_id for entry in bridge.topics.entries)


async def polled(bridge: Bridge, providers: Providers, one: Message, times: int, within: float = 60) -> None:
    """Return when a message was polled this many times."""
    await bridge.topics.wait_until(
        lambda: len(providers.polls(one.provider_message_id)) >= times, f"{times} polls", within
    )


class Slow(NamedTuple):
    """Messages with slow schedules, started together to save time."""

    start: float
    """By the event loop's clock, in seconds."""
    known: Mapping[str, Message]
    """By provider: a poll learns first nothing, then an interim status, then the end."""
    witnesses: Mapping[str, Message]
    """By provider: nothing is ever known of them."""
    repeated: Message
    """Polls say what a callback has said."""
    late: Message
    fresh: Message


@pytest_asyncio.fixture(scope="module", autouse=True)
async def slow(bridge: Bridge, providers: Providers) -> Slow:
    """One message for each kind of schedule."""
    repeated = await bridge.send_and_wait(message(account="polled"))
    await bridge.report_all(repeated, "sent")
    await bridge.events(repeated)
    begun = Slow(
        start=asyncio.get_running_loop().time(),
        known={provider: message(provider, account) for provider, (account, *_) in CASES.items()},
        witnesses={provider: message(provider, account) for provider, (account, *_) in CASES.items()},
        repeated=repeated,
        late=message("speedocom", "always", age=timedelta(seconds=25)),
        fresh=message("speedocom", "always"),
    )
    for provider, (_, *replies) in CASES.items():
        providers.script(begun.known[provider].provider_message_id, replies)
    providers.script(
        repeated.provider_message_id, [dexatel_says("sent"), dexatel_says("pending"), dexatel_says("sent")]
    )
    attempts = [*begun.known.values(), *begun.witnesses.values(), begun.late, begun.fresh]
    await bridge.topics.publish_all([one.sent() for one in attempts])
    return begun


async def test_no_report_yet_changes_nothing(bridge: Bridge, providers: Providers) -> None:
    """In each form of the answer: nothing is written or published, and the message is polled again."""
    failed = [f'sms_bridge_polls_completed_total{{outcome="failed",provider="{provider}"}}' for provider in CASES]
    before = [await bridge.service.read_sample(name) for name in failed]
    messages = {what: message(provider, "polled") for what, (provider, _) in NO_REPORT.items()}
    for what, one in messages.items():
        nothing = NO_REPORT[what][1]
        providers.script(one.provider_message_id, [nothing, nothing, ENDS[one.provider]])
    await bridge.topics.publish_all([one.sent() for one in messages.values()])
    for what, one in messages.items():
        [event] = await bridge.events(one)
        assert (event["status"], event["previous_status"], event["source"]) == ("delivered", None, "poll"), what
        assert len(providers.polls(one.provider_message_id)) >= 3, what
        assert entries_of(bridge, one) == 2, what
    assert before == [await bridge.service.read_sample(name) for name in failed]


async def test_poll_credentials_are_not_in_urls(bridge: Bridge, providers: Providers) -> None:
    """Speedocom's key is in the body of a POST, Dexatel's token in a header."""
    messages = [message("dexatel", "polled"), message("dexatel", "v1"), message("speedocom", "polled")]
    for one in messages:
        providers.script(one.provider_message_id, [ENDS[one.provider]])
        await bridge.send(one)
    for one in messages:
        assert (await bridge.wait_for_final(one))["status"] == "delivered"
    legacy, v1, speedocom = (providers.polls(one.provider_message_id)[0] for one in messages)
    assert (legacy.method, legacy.headers["token"]) == ("GET", TOKEN)
    assert legacy.target == f"/dexatel-polled/dlr/{messages[0].provider_message_id}"
    assert (v1.method, v1.headers["X-Dexatel-Key"]) == ("GET", TOKEN)
    assert v1.target == f"/dexatel-v1/v1/messages/{messages[1].provider_message_id}"
    assert (speedocom.method, speedocom.target) == ("POST", "/speedocom-polled/api/services/getdlr")
    assert all(text.encode() in speedocom.body for text in (API_KEY, PARTNER_ID, messages[2].provider_message_id))
    assert not [one for one in providers.asked if TOKEN in one.target or API_KEY in one.target]


async def test_id_is_escaped_in_the_url(bridge: Bridge, providers: Providers) -> None:
    """An id with special characters is quoted in the path and doesn't change the request."""
    one = message(account="polled", provider_message_id=f"a:b/../c?d=e#{message().provider_message_id}")
    await bridge.send(one)

    def asked() -> bool:
        segments = (poll.target.removeprefix("/dexatel-polled/dlr/") for poll in providers.asked)
        return any("/" not in segment and unquote(segment) == one.provider_message_id for segment in segments)

    await bridge.topics.wait_until(asked, "a poll of the whole id, in one segment of the path")
    await bridge.report_all(one, "delivered")
    await bridge.events(one)


@pytest.mark.parametrize(
    ("provider", "refusal"),
    [
        ("dexatel", Reply({"errors": [{"status": 401}]}, 401)),
        ("speedocom", Reply({"response-code": 1006, "response-description": "Invalid credentials"})),
    ],
)
async def test_refused_credentials_pause_polling(
    bridge: Bridge, providers: Providers, provider: str, refusal: Reply
) -> None:
    """A gauge names the account, polling pauses, and messages stay open; callbacks still work."""
    providers.gate(f"{provider}-refused", refusal)
    labels = f'{{account="refused",provider="{provider}"}}'
    assert await bridge.service.read_sample(f"sms_bridge_credentials_refused{labels}") == 0
    messages = [await bridge.send(message(provider, "refused")) for _ in range(3)]

    async def alarmed() -> bool:
        samples = await bridge.service.read_samples()
        return samples[f"sms_bridge_credentials_refused{labels}"] == samples[f"sms_bridge_circuit_open{labels}"] == 1

    await bridge.topics.wait_until_async(alarmed, "the alarm")
    assert (
        await bridge.service.read_sample(f'sms_bridge_credentials_refused{{account="polled",provider="{provider}"}}')
        == 0
    )
    await bridge.topics.wait_until_folded()
    assert not [event for one in messages for event in bridge.story(one)]
    # Another account of the provider is asked as before; meanwhile the refused one isn't asked any more.
    other = message(provider, "polled")
    providers.script(other.provider_message_id, [ENDS[provider]])
    await bridge.send(other)
    await bridge.wait_for_final(other)
    assert sum(asked.account == f"{provider}-refused" for asked in providers.asked) <= 3


async def test_rate_limit_is_honoured(bridge: Bridge, providers: Providers) -> None:
    """After a 429 with `Retry-After: 3` the account is not polled for 3 s."""
    one, other = message(account="limited"), message(account="limited")
    providers.script(one.provider_message_id, [Reply(b"", 429, {"Retry-After": "3"}), ENDS["dexatel"]])
    providers.script(other.provider_message_id, [ENDS["dexatel"]])
    await bridge.send(one)
    await polled(bridge, providers, one, 1)
    first = providers.polls(one.provider_message_id)[0].at
    await bridge.send(other)
    for waiting in (one, other):
        assert (await bridge.wait_for_final(waiting))["status"] == "delivered"
    asked = [poll.at for poll in providers.asked if poll.account == "dexatel-limited" and poll.at > first]
    assert min(asked) - first >= 3.0
    assert max(asked) - first < 8.0


TROUBLES: dict[str, Reply | Hang] = {
    "hangs": Hang(),
    "500": Reply(b"<h1>Error</h1>", 500),
    "503": Reply(b"", 503),
    "HTML": Reply(b"<h1>Maintenance</h1>"),
}


async def test_provider_errors_are_retried(bridge: Bridge, providers: Providers) -> None:
    """A provider's error is counted and retried, and is no status of a message."""
    failed = 'sms_bridge_polls_completed_total{outcome="failed",provider="dexatel"}'
    before = await bridge.service.read_sample(failed)
    messages = {what: message(account="flaky") for what in TROUBLES}
    for what, one in messages.items():
        providers.script(one.provider_message_id, [TROUBLES[what], ENDS["dexatel"]])
    await bridge.topics.publish_all([one.sent() for one in messages.values()])
    for what, one in messages.items():
        [event] = await bridge.events(one)
        assert (event["status"], event["source"]) == ("delivered", "poll"), what
        assert len(providers.polls(one.provider_message_id)) == 2, what
    assert await bridge.service.read_sample(failed) == before + len(TROUBLES) - len({"HTML"})


REJECTIONS: Mapping[str, Mapping[str, Reply]] = {
    "dexatel": {
        "invalid id": Reply({"errors": [{"status": 400, "message": "invalid identifier", "code": 1502}]}, 400),
        "forbidden": Reply({"errors": [{"status": 403, "message": "forbidden"}]}, 403),
        "gone": Reply(b"", 410),
        "garbage": Reply(b"{"),
        "another message": dexatel_says("delivered", message_uuid="another"),
    },
    "speedocom": {
        "details not found": Reply({"response-code": 4093, "response-description": "Details not found"}),
        "forbidden": Reply(b"", 403),
        "bad data type": Reply({"response-code": 1009, "response-description": "Unsupported data type"}),
        "word for a code": Reply({"response-code": [], "data": 7}, 400),
    },
}
"""Answers about one message, which say nothing about the account."""


@pytest.mark.parametrize("provider", list(REJECTIONS))
async def test_rejected_messages_delay_no_others(bridge: Bridge, providers: Providers, provider: str) -> None:
    """However often the provider rejects some messages, it is polled about all others on schedule."""
    end = CASES[provider][-1]
    rejected = [(message(provider, "polled"), reply) for reply in REJECTIONS[provider].values() for _ in range(3)]
    for one, reply in rejected:
        providers.script(one.provider_message_id, [reply])
    await bridge.topics.publish_all([one.sent() for one, _ in rejected])
    for one, _ in rejected:
        await polled(bridge, providers, one, 1)
    others = [message(provider, "polled") for _ in range(10)]
    for one in others:
        providers.script(one.provider_message_id, [end])
    started = asyncio.get_running_loop().time()
    await bridge.topics.publish_all([one.sent() for one in others])
    for one in others:
        assert (await bridge.wait_for_final(one))["status"] == "delivered"
    late = [providers.polls(one.provider_message_id)[0].at - started for one in others]
    assert max(late) < 10
    circuit = f'sms_bridge_circuit_open{{account="polled",provider="{provider}"}}'
    assert await bridge.service.read_sample(circuit) == 0
    ended = [one for one, reply in rejected if reply == REJECTIONS[provider].get("invalid id")]
    assert all(len(providers.polls(one.provider_message_id)) == 1 for one in ended)
    lines = [line for line in bridge.service.log.splitlines() if "provider will never know a message" in line]
    assert all(any(one.provider_message_id in line for line in lines) for one in ended)


async def test_outage_opens_the_circuit(bridge: Bridge, providers: Providers) -> None:
    """After five failures in a row polling pauses; after the outage every report is found."""
    providers.gate("dexatel-flaky", Reply(b"", 503))
    messages = [message(account="flaky") for _ in range(12)]
    for one in messages:
        providers.script(one.provider_message_id, [ENDS["dexatel"]])
    await bridge.topics.publish_all([one.sent() for one in messages])

    async def is_open() -> bool:
        return await bridge.service.read_sample('sms_bridge_circuit_open{account="flaky",provider="dexatel"}') == 1

    await bridge.topics.wait_until_async(is_open, "the circuit opens")
    providers.gate("dexatel-flaky", None)
    for one in messages:
        assert (await bridge.wait_for_final(one))["status"] == "delivered"
    assert await bridge.service.read_sample('sms_bridge_circuit_open{account="flaky",provider="dexatel"}') == 0


@pytest.mark.parametrize("provider", list(CASES))
async def test_final_status_ends_polling(bridge: Bridge, providers: Providers, slow: Slow, provider: str) -> None:
    """A message is polled at 1, 2 and 3 s with at most 10 % jitter, and never after its final status."""
    one = slow.known[provider]
    events = await bridge.events(one, 2)
    assert [(e["status"], e["source"]) for e in events] == [("sent", "poll"), ("delivered", "poll")]
    # The witness goes on being asked about: six times, as its schedule says.
    await polled(bridge, providers, slow.witnesses[provider], 6)
    asked = providers.polls(one.provider_message_id)
    assert len(asked) == 3
    for number, poll in enumerate(asked, 1):
        assert number - 0.1 <= poll.at - slow.start <= number * 1.1 + 1.5
    assert entries_of(bridge, one) == 1 + 2


async def test_unchanged_poll_writes_nothing(bridge: Bridge, providers: Providers, slow: Slow) -> None:
    """Polls that repeat a known status write no journal entry."""
    await polled(bridge, providers, slow.repeated, 6)
    await bridge.topics.wait_until_folded()
    assert entries_of(bridge, slow.repeated) == 2
    await bridge.events(slow.repeated)


async def test_always_polls_early_and_catches_up_once(bridge: Bridge, providers: Providers, slow: Slow) -> None:
    """With `always`, a sent event that is 25 s late is polled at once and then at 30 s."""
    await polled(bridge, providers, slow.late, 2)
    await polled(bridge, providers, slow.fresh, 1)
    first, second = [poll.at - slow.start for poll in providers.polls(slow.late.provider_message_id)][:2]
    assert 0 <= first < 2.5
    assert 5 - 0.1 <= second < 8 + 1.5
    assert 10 - 0.1 <= providers.polls(slow.fresh.provider_message_id)[0].at - slow.start < 11 + 1.5
