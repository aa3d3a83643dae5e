"""The demo comes out right on a real Kafka, and would say so if it didn't."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiokafka.admin import AIOKafkaAdminClient

from bridge.core.delivery import RANKS, Status, make_event_id
from bridge.sandbox.demo.bridge_process import BridgeProcess
from bridge.sandbox.demo.verification import ExpectedResult, VerificationResult, Violation, verify
from bridge.sandbox.kafka.broker import BOOTSTRAP_SERVERS
from bridge.sandbox.kafka.installation import SandboxError

KEY = "dexatel:default:d-1"
OTHER = "speedocom:default:42"
PROMISES = {KEY: ExpectedResult("m-1", Status.DELIVERED), OTHER: ExpectedResult("m-2", Status.UNKNOWN)}


def story(key: str, *statuses: Status) -> Iterator[dict[str, Any]]:
    """The events of an attempt that goes through these statuses, as the bridge should publish them."""
    provider, account, provider_message_id = key.split(":")
    message_id = PROMISES[key].message_id
    for number, status in enumerate(statuses, 1):
        before = statuses[number - 2] if number > 1 else None
        final_before = before is not None and RANKS[before] == RANKS[Status.UNKNOWN]
        yield {
            "event_id": make_event_id(message_id, key, number),
            "message_id": message_id,
            "provider": provider,
            "account": account,
            "provider_message_id": provider_message_id,
            "status": status.value,
            "final": RANKS[status] == RANKS[Status.UNKNOWN],
            "previous_status": before,
            "sequence": number,
            "corrects": make_event_id(message_id, key, number - 1) if final_before else None,
        }


def right() -> list[dict[str, Any]]:
    """Two stories without a fault, one of them corrected."""
    corrected = story(KEY, Status.PENDING, Status.SENT, Status.FAILED, Status.DELIVERED)
    return [*corrected, *story(OTHER, Status.PENDING, Status.UNKNOWN)]


def faults(comparison: VerificationResult) -> set[Violation]:
    """What was found."""
    return {finding.fault for finding in comparison.findings}


def test_nothing_is_found_where_nothing_is_wrong() -> None:
    """Interim events, a proper correction and an end that only the deadline brought are all as they should be."""
    comparison = verify(PROMISES, right())
    assert comparison == VerificationResult(messages=2, ended=2, events=6, corrections=1, findings=())
    assert comparison.ok


Change = Callable[[list[dict[str, Any]]], Any]

CHANGES: dict[str, tuple[Change, set[Violation]]] = {
    "no event at all": (lambda events: events.__delitem__(slice(4, 6)), {Violation.LOST}),
    "no final event": (lambda events: events.pop(), {Violation.LOST}),
    "a correction that never came": (lambda events: events.pop(3), {Violation.WRONG}),
    "another end than the truth": (lambda events: events[5].update(status="delivered"), {Violation.WRONG}),
    "an event published again": (lambda events: events.append(events[1]), {Violation.TWICE}),
    "a number used twice": (
        lambda events: events.insert(6, {**events[5], "event_id": "x", "corrects": events[5]["event_id"]}),
        {Violation.TWICE},
    ),
    "a number left out": (lambda events: events.pop(0), {Violation.GAPS}),
    "an interim status after a later one": (
        lambda events: (events[1].update(status="pending"), events[0].update(status="sent")),
        {Violation.MOVED_BACK},
    ),
    "events in the wrong order": (lambda events: events.insert(0, events.pop(1)), {Violation.MOVED_BACK}),
    "a previous status that wasn't": (
        lambda events: events[2].update(previous_status="pending"),
        {Violation.MOVED_BACK},
    ),
    "a second end that corrects nothing": (lambda events: events[3].update(corrects=None), {Violation.UNLINKED}),
    "a correction of nothing": (lambda events: events[1].update(corrects="x"), {Violation.UNLINKED}),
    "another message's id": (lambda events: events[4].update(message_id="m-1"), {Violation.STRANGE}),
    "a message that nobody sent": (
        lambda events: events.append({**events[4], "event_id": "x", "provider_message_id": "43"}),
        {Violation.STRANGE},
    ),
}


@pytest.mark.parametrize(("change", "expected"), CHANGES.values(), ids=CHANGES)
def test_whatever_is_wrong_is_found_and_called_by_its_name(change: Change, expected: set[Violation]) -> None:
    """One fault, one kind of finding."""
    events = right()
    change(events)
    comparison = verify(PROMISES, events)
    assert faults(comparison) == expected
    assert not comparison.ok
    assert all(comparison.messages_with(fault) == 1 for fault in expected)


@asynccontextmanager
async def demo(kafka: str, *options: str) -> AsyncIterator[Process]:
    """A headless demo on that cluster, as a person would start it; ended at the block's end."""
    misleading = {"SMS_BRIDGE_DEXATEL__POLL": "never", "SMS_BRIDGE_KAFKA__BOOTSTRAP_SERVERS": "production:9092"}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bridge", "demo", "--headless", *options),
        stdout=PIPE,
        stderr=PIPE,
        env={**os.environ, **misleading, BOOTSTRAP_SERVERS: kafka},
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def topics_of_demos(kafka: str) -> set[str]:
    """What demos have left on the cluster."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        return {name for name in await admin.list_topics() if name.startswith("demo-")}
    finally:
        await admin.close()


async def test_every_message_of_a_demo_ends_as_its_provider_knows_it_did_and_nothing_is_left(kafka: str) -> None:
    """Nothing wrong, lost or doubled among sixty messages; the caller's own settings don't reach the bridge."""
    before = await topics_of_demos(kafka)
    async with demo(kafka, "--json", "--messages", "60", "--rate", "100", "--speed", "15", "--seed", "27") as process:
        told, complaints = await process.communicate()
    assert process.returncode == 0, (told + complaints).decode()
    assert complaints == b""
    documents = [orjson.loads(line) for line in told.splitlines()]
    assert [one["type"] for one in documents[:4]] == ["phase"] * 4
    assert {one["type"] for one in documents[4:-1]} == {"progress"}
    assert documents[-2]["ended"] <= documents[-2]["sent"] == documents[-2]["messages"] == 60
    summary = documents[-1]
    assert (summary["type"], summary["ok"]) == ("verdict", True)
    assert (summary["messages"], summary["ended"]) == (60, 60)
    assert {summary[fault] for fault in Violation} == {0}
    # All that can be wrong with a provider was wrong with some of them.
    assert all(summary[name] for name in ("callback", "poll", "deadline", "parked", "corrections"))
    assert all(summary["suppressed"][name] for name in ("duplicate", "unmapped"))
    assert await topics_of_demos(kafka) <= before


async def test_an_interrupted_demo_cleans_up_and_says_nothing(kafka: str) -> None:
    """Ctrl-C is no failure: exit code 130, no traceback, no topics."""
    before = await topics_of_demos(kafka)
    async with demo(kafka, "--rate", "10") as process:
        assert process.stdout is not None
        while b" ended " not in await process.stdout.readline():
            pass
        process.send_signal(signal.SIGINT)
        _, complaints = await process.communicate()
    assert (process.returncode, complaints) == (130, b"")
    assert await topics_of_demos(kafka) <= before


async def test_a_bridge_that_cannot_start_is_told_of_in_its_own_words(tmp_path: Path) -> None:
    """Its last log lines say why."""
    async with BridgeProcess({"PATH": os.environ["PATH"]}, 1, tmp_path) as bridge:
        with pytest.raises(
            SandboxError, match=r"the bridge ended with exit code 1; (?s:.*)BOOTSTRAP_SERVERS is missing"
        ):
            await bridge.ready()


async def test_a_demo_without_a_kafka_says_so_in_a_line() -> None:
    """The environment names a cluster that isn't there."""
    async with demo("127.0.0.1:1") as process:
        _, complaints = await process.communicate()
    assert process.returncode == 1
    assert complaints.decode().startswith("sms-bridge demo: no Kafka answers at 127.0.0.1:1")
    assert complaints.count(b"\n") == 1
