"""Every attempt gets a final status: from a report or at its deadline; later reports correct it."""

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import pytest
import pytest_asyncio

from bridge.poller.retries import MIN_REJECTIONS
from tests.support.service.bridge import Bridge, Message, message
from tests.support.service.checks import moment
from tests.support.service.providers import Providers, Reply, dexatel_says


def ends_in(seconds: float) -> str:
    """Return a deadline this far in the future."""
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat(timespec="milliseconds")


def in_milliseconds(text: str) -> int:
    """Convert an RFC 3339 time to milliseconds."""
    return round(datetime.fromisoformat(text).timestamp() * 1000)


class Waiting(NamedTuple):
    """Attempts that start together, so that the tests wait for their deadlines together."""

    unheard: Message
    soon: Message
    gives_up_at: str
    later: Message
    scheduled: Message
    scheduled_at: str
    interim: Message
    failed: Message
    delivered: Message
    last: Message
    outlived: Message


@pytest_asyncio.fixture(scope="module")
async def waiting(bridge: Bridge, providers: Providers) -> Waiting:
    """One attempt per case; `brief` gives up after 3 seconds, `outlived` after 6, `last` after 7."""
    scheduled_at, gives_up_at = ends_in(2), ends_in(2)
    last = message(account="last")
    providers.script(last.provider_message_id, [dexatel_says("delivered")])
    providers.gate("dexatel-outlived", Reply(b"", 503))
    attempts = Waiting(
        unheard=await bridge.send(message(account="brief")),
        soon=await bridge.send(message("speedocom"), give_up_at=gives_up_at),
        gives_up_at=gives_up_at,
        later=await bridge.send(message(account="brief"), give_up_at=ends_in(600)),
        scheduled=await bridge.send(message(account="brief"), scheduled_at=scheduled_at),
        scheduled_at=scheduled_at,
        interim=await bridge.send(message("speedocom", "brief")),
        failed=await bridge.send(message(account="brief")),
        delivered=await bridge.send(message(account="brief")),
        last=await bridge.send(last),
        outlived=await bridge.send(message(account="outlived")),
    )
    await bridge.report_all(attempts.interim, "Queued", "SentToNetwork")
    return attempts


async def test_without_reports_the_status_is_unknown(bridge: Bridge, waiting: Waiting) -> None:
    """The reason is `no_report`, the source `deadline`, and never before the deadline."""
    event = await bridge.wait_for_final(waiting.unheard)
    found = {name: event[name] for name in ("status", "outcome", "reason", "source", "sequence", "previous_status")}
    assert found == {
        "status": "unknown",
        "outcome": "unknown",
        "reason": "no_report",
        "source": "deadline",
        "sequence": 1,
        "previous_status": None,
    }
    assert (event["provider_status"], event["provider_code"], event["permanent"]) == (None, None, None)
    assert event["latency_seconds"] is None
    late = moment(event.document["observed_at"]) - in_milliseconds(waiting.unheard.sent_at) - 3_000
    assert 0 <= late < 2_000


async def test_sent_event_sets_the_deadline(bridge: Bridge, waiting: Waiting) -> None:
    """`give_up_at` overrules the account's setting in both directions."""
    event = await bridge.wait_for_final(waiting.soon)
    assert (event["status"], event["reason"], event["source"]) == ("unknown", "no_report", "deadline")
    assert 0 <= moment(event.document["observed_at"]) - in_milliseconds(waiting.gives_up_at) < 2_000
    await bridge.wait_for_final(waiting.unheard)
    assert not bridge.story(waiting.later)
    await bridge.report_all(waiting.later, "delivered")
    await bridge.events(waiting.later)


async def test_scheduled_message_starts_later(bridge: Bridge, waiting: Waiting) -> None:
    """The deadline counts from the scheduled time."""
    event = await bridge.wait_for_final(waiting.scheduled)
    assert (event["status"], event["source"]) == ("unknown", "deadline")
    assert moment(event.document["observed_at"]) >= in_milliseconds(waiting.scheduled_at) + 3_000


async def test_interim_reports_only(bridge: Bridge, waiting: Waiting) -> None:
    """The final event has the reason `no_final_report`."""
    await bridge.wait_for_final(waiting.interim)
    events = bridge.story(waiting.interim)
    assert [event["status"] for event in events] == ["pending", "sent", "unknown"]
    assert (events[-1]["reason"], events[-1]["source"]) == ("no_final_report", "deadline")
    assert events[-1]["previous_status"] == "sent"


async def test_final_report_after_the_deadline(bridge: Bridge, waiting: Waiting) -> None:
    """A later final report corrects `unknown`; an interim one doesn't."""
    for one in (waiting.failed, waiting.delivered):
        await bridge.wait_for_final(one)
    await bridge.report_all(waiting.failed, "sent", "failed", "failed", "sent")
    await bridge.report_all(waiting.delivered, "delivered", "failed")
    await bridge.topics.wait_until_folded()
    for one, status in ((waiting.failed, "failed"), (waiting.delivered, "delivered")):
        unknown, last = await bridge.events(one, 2)
        assert (last["status"], last["previous_status"]) == (status, "unknown")
        assert last["corrects"] == unknown["event_id"]


async def test_speedocom_unknown_is_final(bridge: Bridge) -> None:
    """It may be corrected by any later status; a failure only by a delivery."""
    one = await bridge.send_and_wait(message("speedocom"))
    await bridge.report_all(one, "Unknown", "AbsentSubscriber", "Expired", "DeliveredToTerminal", "AbsentSubscriber")
    await bridge.topics.wait_until_folded()
    events = await bridge.events(one, 3)
    assert [event["status"] for event in events] == ["unknown", "undelivered", "delivered"]
    assert [event["corrects"] for event in events] == [None, events[0]["event_id"], events[1]["event_id"]]


async def test_last_poll_before_the_deadline(bridge: Bridge, providers: Providers, waiting: Waiting) -> None:
    """Five seconds before the deadline the bridge polls a last time."""
    event = await bridge.wait_for_final(waiting.last)
    assert (event["status"], event["source"]) == ("delivered", "poll")
    [asked] = providers.polls(waiting.last.provider_message_id)
    assert moment(event.document["observed_at"]) - in_milliseconds(waiting.last.sent_at) >= 2_000
    assert asked.account == "dexatel-last"


@pytest.mark.timeout(240)
async def test_failing_last_poll_delays_the_deadline(bridge: Bridge, providers: Providers, waiting: Waiting) -> None:
    """While the last poll fails the attempt doesn't end; its answer is the final status."""
    one = waiting.outlived
    overdue = in_milliseconds(one.sent_at) + 8_000
    await bridge.topics.wait_until(
        lambda: datetime.now(UTC).timestamp() * 1000 > overdue, "the attempt's end has passed"
    )
    await bridge.topics.wait_until_folded()
    assert providers.polls(one.provider_message_id)
    assert bridge.story(one) == []
    providers.script(one.provider_message_id, [dexatel_says("delivered")])
    providers.gate("dexatel-outlived", None)
    event = await bridge.wait_for_final(one, within=150)  # after so many failures it is asked seldom
    assert (event["status"], event["source"]) == ("delivered", "poll")


async def test_garbage_for_the_last_answer_decides_nothing(bridge: Bridge, providers: Providers) -> None:
    """The deadline waits while the last poll gets garbage, a few times; a report that comes then is the status."""
    garbage, gives_up_at = Reply(b"<h1>Maintenance</h1>"), ends_in(10)
    answered, rejected = message(account="last"), message(account="last")
    providers.script(answered.provider_message_id, [garbage] * (MIN_REJECTIONS - 1) + [dexatel_says("delivered")])
    providers.script(rejected.provider_message_id, [garbage])
    for one in (answered, rejected):
        await bridge.send(one, give_up_at=gives_up_at)
    for one, end in ((answered, ("delivered", "poll")), (rejected, ("unknown", "deadline"))):
        event = await bridge.wait_for_final(one)
        assert (event["status"], event["source"]) == end
        assert len(providers.polls(one.provider_message_id)) >= MIN_REJECTIONS
