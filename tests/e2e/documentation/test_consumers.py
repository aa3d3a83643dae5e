"""Each example consumer reads committed events once, in order, and knows each attempt's latest status."""

import asyncio
import json
import os
import re
import signal
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import pytest
import pytest_asyncio
from aiokafka.admin import NewTopic

from bridge.kafka.clients import KafkaClients
from bridge.kafka.records import Record, send_batches
from bridge.settings.kafka import KafkaSettings
from tests.support.documentation.runtimes import compile_java, environment_of, install
from tests.support.paths import DOCS, ROOT

CONSUMERS = ROOT / "examples" / "consumers"
EXAMPLES = {
    "with_aiokafka.py": (),
    "with_confluent_kafka.py": (),
    "LatestStatus.java": ("pom.xml",),
    "latest-status.mjs": ("package.json",),
}
"""Each example, with the files that its installation reads."""

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
    """A topic with an aborted transaction and duplicates, written as the bridge does by default."""
    topic = f"test-{uuid4().hex[:12]}.delivery"
    clients = KafkaClients(KafkaSettings(bootstrap_servers=(kafka,)))
    admin = await clients.admin()
    await admin.create_topics([NewTopic(topic, 3, 1)])
    await admin.close()
    sent, unknown = event("a-1", 1, "sent"), event("a-1", 2, "unknown")
    corrected = event("a-1", 3, "delivered", corrects=unknown["event_id"], a_member_of_tomorrow={"x": 1})
    second = event("a-2", 1, "failed")
    never = event("a-1", 3, "failed")
    for batch, commit in (([sent, unknown], True), ([never], False), ([sent, unknown, corrected, second], True)):
        producer = await clients.producer(topic)
        await producer.begin_transaction()
        for future, _ in await send_batches(producer, [record(topic, one) for one in batch]):
            await future
        await (producer.commit_transaction() if commit else producer.abort_transaction())
        await producer.stop()
    expected = [{name: one[name] for name in TOLD} for one in (sent, unknown, corrected, second)]
    yield Stream(kafka, topic, expected)


def record(topic: str, one: Mapping[str, Any]) -> Record:
    """Return an event's record; all are of one message."""
    return Record(topic, 1, one["message_id"].encode(), json.dumps(one).encode())


async def consumed(stream: Stream, command: Sequence[str], cwd: Path, path: str = "") -> list[dict[str, Any]]:
    """Run a consumer until it has printed everything, then stop it, and return its output."""
    variables = {"BOOTSTRAP_SERVERS": stream.servers, "TOPIC": stream.topic, "GROUP": f"{stream.topic}.{uuid4().hex}"}
    process = await asyncio.create_subprocess_exec(
        *command, cwd=cwd, env={**os.environ, "PATH": path or os.environ["PATH"], **variables}, stdout=PIPE, stderr=PIPE
    )
    assert process.stdout
    assert process.stderr
    lines: list[bytes] = []
    try:
        async with asyncio.timeout(WITHIN):
            while len(lines) < len(stream.expected) and (line := await process.stdout.readline()):
                lines += [line] if line.startswith(b"{") else []  # Maven also prints codes for colours
            process.send_signal(signal.SIGTERM)
            rest, errors = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode in {0, 128 + signal.SIGTERM}, errors.decode()
    return [json.loads(line) for line in (*lines, *rest.splitlines()) if line.startswith(b"{")]


def printed(file: str) -> tuple[str, str]:
    """Return the two lines at the beginning of an example: what it needs installed, and how it is run."""
    found = re.search(
        r"^(?://     )?((?:pip|npm|mvn) .+)\n(?://     )?(BOOTSTRAP_SERVERS=.+)$", read(file), re.MULTILINE
    )
    assert found, f"{file} doesn't say how it is run"
    return found[1], found[2]


def read(file: str) -> str:
    """Return an example's text."""
    return (CONSUMERS / file).read_text()


@pytest.mark.parametrize("file", EXAMPLES)
async def test_examples_run_as_printed(stream: Stream, file: str) -> None:
    """After its printed installation and nothing else, with the printed command, each reads what the bridge writes."""
    installation, command = printed(file)
    folder = await install(installation, [CONSUMERS / file, *(CONSUMERS / name for name in EXAMPLES[file])])
    command = command.replace("localhost:9092", stream.servers).replace("my-team", f"{stream.topic}.{uuid4().hex}")
    path = environment_of(folder)["PATH"]
    assert await consumed(stream, ("sh", "-c", f"exec env {command}"), folder, path) == stream.expected


def test_the_guide_has_every_example() -> None:
    """With its line for the installation."""
    guide = (DOCS / "consumers.md").read_text()
    rows = {
        file: install for install, file in re.findall(r"\| `([^`]+)` \| \[(\S+)\]\(\.\./examples/consumers/", guide)
    }
    assert rows == {file: printed(file)[0] for file in EXAMPLES}


async def test_java_without_maven(stream: Stream, tmp_path: Path) -> None:
    """The Java example needs Kafka's client and Jackson, and no more."""
    command = await compile_java(CONSUMERS / "LatestStatus.java", tmp_path)
    assert await consumed(stream, command, tmp_path) == stream.expected
