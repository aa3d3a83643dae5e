"""Each example consumer reads committed events once, in order, and knows each attempt's latest status."""

import asyncio
import json
import os
import re
import signal
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import pytest
import pytest_asyncio

from tests.support.documentation.deliveries import create_topic, make_delivery, write_deliveries
from tests.support.documentation.runtimes import compile_java, environment_of, install
from tests.support.paths import DOCS, ROOT

CONSUMERS = ROOT / "examples" / "consumers"
EXAMPLES = {
    "with_aiokafka.py": (),
    "with_confluent_kafka.py": (),
    "LatestStatus.java": ("pom.xml", "SmsDelivery.java"),
    "latest-status.mjs": ("package.json",),
}
"""Each example, with the files that its installation reads."""

TOLD = ("message_id", "outcome", "status", "final", "corrects")
WITHIN = 60


class Stream(NamedTuple):
    """A topic of events and the expected result of a consumer."""

    servers: str
    topic: str
    expected: list[dict[str, Any]]


@pytest_asyncio.fixture(scope="module")
async def stream(kafka: str) -> AsyncIterator[Stream]:
    """A topic with an aborted transaction and duplicates, written as the bridge does by default."""
    topic = await create_topic(kafka, partitions=3)
    sent, unknown = make_delivery("m-1", "a-1", 1, "sent"), make_delivery("m-1", "a-1", 2, "unknown")
    corrects = {"corrects": unknown["event_id"], "a_member_of_tomorrow": {"x": 1}}
    corrected = make_delivery("m-1", "a-1", 3, "delivered", **corrects)
    second, never = make_delivery("m-1", "a-2", 1, "failed"), make_delivery("m-1", "a-1", 3, "failed")
    await write_deliveries(kafka, topic, [sent, unknown])
    await write_deliveries(kafka, topic, [never], commit=False)
    await write_deliveries(kafka, topic, [sent, unknown, corrected, second])
    expected = [{name: one[name] for name in TOLD} for one in (sent, unknown, corrected, second)]
    yield Stream(kafka, topic, expected)


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
