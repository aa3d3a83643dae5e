"""The sandbox's Kafka is a real one and leaves nothing behind, however its owner ends."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from bridge.sandbox.kafka.broker import BOOTSTRAP_SERVERS, Sandbox, sandbox, serve
from bridge.sandbox.kafka.installation import SandboxError
from tests.support.background import IN_BACKGROUND


@asynccontextmanager
async def admin_of(bootstrap_servers: str) -> AsyncIterator[AIOKafkaAdminClient]:
    """Yield an admin client."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()


async def send(bootstrap_servers: str, topic: str, value: bytes) -> None:
    """Publish a record that all replicas acknowledge."""
    async with AIOKafkaProducer(bootstrap_servers=bootstrap_servers, acks="all") as producer:
        await producer.send_and_wait(topic, value)


async def first_value(bootstrap_servers: str, topic: str) -> bytes | None:
    """Return the value of the topic's first record."""
    async with AIOKafkaConsumer(
        topic, bootstrap_servers=bootstrap_servers, auto_offset_reset="earliest", enable_auto_commit=False
    ) as consumer:
        record = await consumer.getone()
        return bytes(record.value) if record.value is not None else None


def processes_of(folder: Path) -> list[int]:
    """Return the ids of processes whose command line contains the folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if str(folder).encode() in (process / "cmdline").read_bytes():
                found.append(int(process.name))
        except OSError:
            continue
    return found


async def gone(folder: Path) -> None:
    """Return when the cluster's processes and folder are gone."""
    while processes_of(folder) or folder.exists():  # noqa: ASYNC110, ASYNC240 - other processes' ends set no event here
        await asyncio.sleep(0.02)


async def test_record_is_read_back(kafka: str, unique: str) -> None:
    """A published record can be read."""
    async with admin_of(kafka) as admin:
        await admin.create_topics([NewTopic(unique, 1, 1)])
    await send(kafka, unique, b"hello")
    assert await first_value(kafka, unique) == b"hello"


async def test_broker_survives_a_kill(unique: str) -> None:
    """A killed broker restarts with its data; after the block no process or folder is left."""
    async with Sandbox() as kafka:
        (broker,) = kafka.brokers
        async with admin_of(kafka.bootstrap_servers) as admin:
            await admin.create_topics([NewTopic(unique, 1, 1)])
        await send(kafka.bootstrap_servers, unique, b"before")
        await broker.kill()
        assert not broker.running
        assert not processes_of(broker.log.parent)
        await broker.start()
        assert await first_value(kafka.bootstrap_servers, unique) == b"before"
    assert not processes_of(broker.log.parent)
    assert not broker.log.parent.exists()


async def test_three_brokers_survive_the_loss_of_one(unique: str) -> None:
    """With two of three replicas alive, a record is acknowledged."""
    async with Sandbox(3) as kafka:
        async with admin_of(kafka.bootstrap_servers) as admin:
            await admin.create_topics([NewTopic(unique, 1, 3)])
        await kafka.brokers[2].kill()
        left = ",".join(broker.bootstrap_server for broker in kafka.brokers[:2])
        await send(left, unique, b"still here")
        assert await first_value(left, unique) == b"still here"


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
async def test_brokers_end_with_their_owner(end: signal.Signals) -> None:
    """After Ctrl-C, also of a background job, SIGTERM or SIGKILL, brokers and folder are gone."""
    command = (*IN_BACKGROUND, sys.executable, "-m", "bridge.sandbox.kafka.broker")
    owner = await asyncio.create_subprocess_exec(*command, stdout=PIPE)
    assert owner.stdout is not None
    address = (await owner.stdout.readline()).decode().strip()
    folder = folder_of(address)
    owner.send_signal(end)
    await owner.wait()
    async with asyncio.timeout(60):
        await gone(folder)


def folder_of(address: str) -> Path:
    """Return the folder of the cluster with this address."""
    for folder in Path(os.environ.get("TMPDIR", "/tmp")).glob("sms-bridge-kafka-*"):  # noqa: S108 - where brokers put it
        with suppress(FileNotFoundError):  # of a cluster that just ended
            if any(address in file.read_text() for file in folder.glob("*.properties")):
                return folder
    raise AssertionError(address)


async def test_serving_creates_topics() -> None:
    """A newcomer has a topic to write to; the address is told when it is there."""
    ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(serve(1, ready.set_result, ["sms.sent", "another"]))
    try:
        async with admin_of(await ready) as admin:
            described = await admin.describe_topics(["sms.sent", "another"])
    finally:
        serving.cancel()
        await asyncio.wait([serving])
    assert [(one["error_code"], len(one["partitions"])) for one in described] == [(0, 3), (0, 3)]


async def test_environment_names_a_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is started if the environment names a cluster."""
    monkeypatch.setenv(BOOTSTRAP_SERVERS, "kafka.example:9092")
    async with sandbox() as bootstrap_servers:
        assert bootstrap_servers == "kafka.example:9092"


async def test_failed_broker_start_is_explained() -> None:
    """The error's first line names the broker, the rest is the end of its log."""
    with pytest.raises(SandboxError, match=r"Kafka broker 1 .*(?s:.*)nonsense"):
        async with Sandbox(config={"log.cleanup.policy": "nonsense"}):
            pass


async def test_failed_download_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The error is one line, and a partial download is not used."""
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for _ in range(2):
        with pytest.raises(SandboxError, match=r"^can't download Apache Kafka [^\n]*$"):
            async with Sandbox():
                pass
