"""Each example consumer reads committed events once, in order, and knows each attempt's latest status."""

import asyncio
import json
import os
import shutil
import signal
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import pytest
import pytest_asyncio
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]  # it means to export them

from tests.support.documentation.runtimes import compile_java, node_modules
from tests.support.paths import ROOT

CONSUMERS = ROOT / "examples" / "consumers"
EVENT = json.loads((ROOT / "schemas/examples/sms.delivery.v1/valid/first-interim-status.json").read_text())
TOLD = ("message_id", "outcome", "status", "final", "corrects")
WITHIN = 60


class Stream(NamedTuple):
    """A topic of events and the expected result of a consumer."""

    servers: str
    topic: str
    expected: list[dict[str, Any]]


def event(attempt: str, sequence: int, status: str, **members: Any) -> dict[str, Any]:
    """Return an event of the message `m-1`."""
    outcome = {"delivered": "delivered", "sent": "in_progress", "unknown": "unknown", "failed": "not_delivered"}[status]
    ids = {"event_id": str(uuid4()), "message_id": "m-1", "provider_message_id": attempt, "sequence": sequence}
    return {**EVENT, **ids, "status": status, "outcome": outcome, "final": outcome != "in_progress", **members}


@pytest_asyncio.fixture(scope="module")
async def stream(kafka: str) -> AsyncIterator[Stream]:
    """A topic with an aborted transaction and duplicates."""
    topic = f"test-{uuid4().hex[:12]}.delivery"
    admin = AdminClient({"bootstrap.servers": kafka})
    [made] = admin.create_topics([NewTopic(topic, 3, 1)]).values()
    await asyncio.wrap_future(made)
    sent, unknown = event("a-1", 1, "sent"), event("a-1", 2, "unknown")
    corrected = event("a-1", 3, "delivered", corrects=unknown["event_id"], a_member_of_tomorrow={"x": 1})
    second = event("a-2", 1, "failed")
    never = event("a-1", 3, "failed")
    producer = Producer({"bootstrap.servers": kafka, "transactional.id": topic})

    def write() -> None:
        producer.init_transactions()
        for batch, commit in (([sent, unknown], True), ([never], False), ([sent, unknown, corrected, second], True)):
            producer.begin_transaction()
            for one in batch:
                producer.produce(topic, json.dumps(one), one["message_id"])
            producer.flush()
            producer.commit_transaction() if commit else producer.abort_transaction()

    await asyncio.to_thread(write)
    expected = [{name: one[name] for name in TOLD} for one in (sent, unknown, corrected, second)]
    yield Stream(kafka, topic, expected)


async def consumed(stream: Stream, command: Sequence[str], cwd: Path) -> list[dict[str, Any]]:
    """Run a consumer until it has printed everything, then stop it, and return its output."""
    variables = {"BOOTSTRAP_SERVERS": stream.servers, "TOPIC": stream.topic, "GROUP": f"{stream.topic}.{uuid4().hex}"}
    process = await asyncio.create_subprocess_exec(
        *command, cwd=cwd, env={"PATH": os.environ["PATH"], **variables}, stdout=PIPE, stderr=PIPE
    )
    assert process.stdout
    assert process.stderr
    lines: list[bytes] = []
    try:
        async with asyncio.timeout(WITHIN):
            while len(lines) < len(stream.expected) and (line := await process.stdout.readline()):
                lines.append(line)
            process.send_signal(signal.SIGTERM)
            rest, errors = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode in {0, 128 + signal.SIGTERM}, errors.decode()
    return [json.loads(line) for line in (*lines, *rest.splitlines())]


@pytest.mark.parametrize("file", ["with_aiokafka.py", "with_confluent_kafka.py"])
async def test_python_consumers(stream: Stream, file: str) -> None:
    """Both Python examples read the events."""
    assert await consumed(stream, (sys.executable, file), CONSUMERS) == stream.expected


async def test_java_consumer(stream: Stream, tmp_path: Path) -> None:
    """The Java example reads the events with Kafka's own client."""
    command = await compile_java(CONSUMERS / "LatestStatus.java", tmp_path)
    assert await consumed(stream, command, tmp_path) == stream.expected


async def test_javascript_consumer(stream: Stream, tmp_path: Path) -> None:
    """The JavaScript example reads the events with kafkajs."""
    wanted = json.loads((CONSUMERS / "package.json").read_text())["dependencies"]
    modules = await node_modules(*(f"{name}@{version}" for name, version in wanted.items()))
    shutil.copy(CONSUMERS / "latest-status.mjs", tmp_path)
    (tmp_path / "node_modules").symlink_to(modules)
    assert await consumed(stream, ("node", "latest-status.mjs"), tmp_path) == stream.expected
