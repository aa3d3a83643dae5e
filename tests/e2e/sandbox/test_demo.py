"""The demo on a real Kafka: its result, its cleanup and its errors."""

import asyncio
import os
import pty
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import ClientSession
from aiokafka.admin import AIOKafkaAdminClient

from bridge.sandbox.demo.bridge_process import BridgeProcess
from bridge.sandbox.demo.verification import Violation
from bridge.sandbox.kafka.broker import BOOTSTRAP_SERVERS
from bridge.sandbox.kafka.installation import SandboxError
from tests.support.background import IN_BACKGROUND
from tests.support.documentation.runtimes import run


@asynccontextmanager
async def demo(kafka: str, *options: str) -> AsyncIterator[Process]:
    """Run a headless demo on that cluster as a background job; it is killed at the end of the block."""
    misleading = {"SMS_BRIDGE_DEXATEL__POLL": "never", "SMS_BRIDGE_KAFKA__BOOTSTRAP_SERVERS": "production:9092"}
    process = await asyncio.create_subprocess_exec(
        *(*IN_BACKGROUND, sys.executable, "-m", "bridge", "demo", "--headless", *options),
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
    """Return the demos' topics on the cluster."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        return {name for name in await admin.list_topics() if name.startswith("demo-")}
    finally:
        await admin.close()


async def test_demo_passes_and_cleans_up(kafka: str) -> None:
    """All sixty messages are correct; the caller's settings don't reach the bridge."""
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
    assert {summary[violation] for violation in Violation} == {0}
    # All that can be wrong with a provider was wrong with some of them.
    assert all(summary[name] for name in ("callback", "poll", "deadline", "parked", "corrections"))
    assert all(summary["suppressed"][name] for name in ("duplicate", "unmapped"))
    assert await topics_of_demos(kafka) <= before


async def test_demo_with_hostile_providers_passes(kafka: str) -> None:
    """Every fifth poll fails, and a fifth of all messages has each of the faults of callbacks."""
    async with demo(
        kafka, "--json", "--messages", "400", "--rate", "100", "--speed", "15", "--profile", "hostile"
    ) as it:
        told, complaints = await it.communicate()
    assert it.returncode == 0, (told + complaints).decode()[-3000:]


async def test_interrupted_demo_cleans_up(kafka: str) -> None:
    """Ctrl-C gives exit code 130, no traceback, and leaves no topics."""
    before = await topics_of_demos(kafka)
    async with demo(kafka, "--rate", "10") as process:
        assert process.stdout is not None
        while b" ended " not in await process.stdout.readline():
            pass
        process.send_signal(signal.SIGINT)
        _, complaints = await process.communicate()
    assert (process.returncode, complaints) == (130, b"")
    assert await topics_of_demos(kafka) <= before


async def test_kept_demo_can_be_explored(kafka: str) -> None:
    """After the result, the printed commands work, and the page answers; Ctrl-C ends it with the result's exit code."""
    options = ("--keep", "--json", "--messages", "20", "--rate", "100", "--speed", "15", "--profile", "calm")
    before = await topics_of_demos(kafka)
    async with demo(kafka, *options) as process:
        assert process.stdout is not None
        kept: dict[str, Any] = {"type": ""}
        while kept["type"] != "kept":
            kept = orjson.loads(await process.stdout.readline())
        trace, tail, replay = kept["commands"]
        code, said = await run("sh", "-c", replay)
        assert (code, "still unreadable" in said, "provider_message_id" in said) == (1, True, True), said
        code, said = await run("sh", "-c", trace)
        assert (code, "final: " in said) == (0, True), said
        followed = await asyncio.create_subprocess_exec("sh", "-c", f"exec {tail} --json", stdout=PIPE)
        assert followed.stdout is not None
        assert orjson.loads(await followed.stdout.readline())["final"] is True
        followed.terminate()
        await followed.communicate()
        async with ClientSession() as client, client.get(kept["page"]) as page:
            assert page.status == HTTPStatus.OK
        process.send_signal(signal.SIGINT)
        _, complaints = await process.communicate()
    assert (process.returncode, complaints) == (0, b"")
    assert not os.path.exists(kept["env_file"])  # noqa: ASYNC240, PTH110 - it takes no time
    assert await topics_of_demos(kafka) <= before


async def test_a_dumb_terminal_gets_plain_lines(kafka: str) -> None:
    """There, the live view would show nothing."""
    master, slave = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bridge", "demo", "--messages", "5", "--rate", "100", "--speed", "15"),
        *("--profile", "calm"),
        stdout=slave,
        stderr=slave,
        env={**os.environ, "TERM": "dumb", BOOTSTRAP_SERVERS: kafka},
    )
    os.close(slave)
    said = await asyncio.to_thread(read_all, master)
    assert await process.wait() == 0, said
    assert "and 5 messages" in said
    assert '"ok":true' in said


def read_all(terminal: int) -> str:
    """Read what is written to a terminal until nobody writes to it any more."""
    text = b""
    with suppress(OSError):  # the last writer has ended
        while some := os.read(terminal, 4096):
            text += some
    os.close(terminal)
    return text.decode()


async def test_failed_bridge_start_shows_its_log(tmp_path: Path) -> None:
    """The error has the last lines of the bridge's log."""
    async with BridgeProcess({"PATH": os.environ["PATH"]}, 1, tmp_path) as bridge:
        with pytest.raises(
            SandboxError, match=r"the bridge ended with exit code 1; (?s:.*)BOOTSTRAP_SERVERS is missing"
        ):
            await bridge.wait_until_ready()


async def test_demo_without_kafka_is_one_line() -> None:
    """The environment names a cluster that doesn't exist."""
    async with demo("127.0.0.1:1") as process:
        _, complaints = await process.communicate()
    assert process.returncode == 1
    assert complaints.decode().startswith("sms-bridge demo: no Kafka answers at 127.0.0.1:1")
    assert complaints.count(b"\n") == 1
