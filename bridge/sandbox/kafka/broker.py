"""A real Apache Kafka for tests and the demo: one broker or three, with free ports and a temporary folder.

This file starts and stops a cluster. One broker's process is in `node.py`, its configuration in
`server_properties.py`, the download in `installation.py`. `python -m bridge.sandbox.kafka.broker` runs a cluster
until Ctrl-C.
"""

import argparse
import asyncio
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from rich.console import Console

from bridge.sandbox.kafka.installation import Installation, SandboxError, hold_lock, install_kafka
from bridge.sandbox.kafka.node import Broker
from bridge.sandbox.kafka.server_properties import format_properties
from bridge.sandbox.ports import claim_free_ports

__all__ = ["BOOTSTRAP_SERVERS", "Broker", "Sandbox", "SandboxError", "create_topics", "sandbox"]

BOOTSTRAP_SERVERS = "SMS_BRIDGE_SANDBOX_BOOTSTRAP_SERVERS"
"""The variable that names a cluster to use instead of starting one. The service's own variables are ignored here."""

HEAP_OPTIONS = {1: "-Xmx512m", 3: "-Xmx384m"}
"""By the number of brokers."""

TOPIC_PARTITIONS = 3
"""Of a topic that somebody asks for."""

JVM_OPTIONS = (
    "-XX:+UseSerialGC",  # the smallest, and the fastest to start on few cores
    "-XX:TieredStopAtLevel=1",  # optimising takes longer than it saves in a few minutes
    "-XX:+ExitOnOutOfMemoryError",
    "-XX:-UsePerfData",  # otherwise a killed JVM leaves a file in /tmp
    "-Xlog:disable",  # turns off the JVM's own messages, except errors
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
)


class Sandbox:
    """A cluster: `async with Sandbox() as kafka: kafka.bootstrap_servers`.

    However this process ends, even by SIGKILL, the brokers end with it and their folder is removed.

    Args:
        brokers: 1 or 3.
        config: Broker settings that override those of `server_properties.py`.
        jvm: More options for each broker's JVM.
    """

    def __init__(self, brokers: int = 1, *, config: Mapping[str, str] | None = None, jvm: Sequence[str] = ()) -> None:
        self.brokers: tuple[Broker, ...] = ()
        self._size = brokers
        self._config = config or {}
        self._jvm = jvm
        self._stack = AsyncExitStack()

    @property
    def bootstrap_servers(self) -> str:
        """The addresses of all brokers, separated by commas."""
        return ",".join(broker.bootstrap_server for broker in self.brokers)

    async def __aenter__(self) -> Self:
        installation = await prepare_installation()
        jvm = (f"-XX:AOTCache={installation.startup_archive}", *self._jvm)
        self.brokers = await self._stack.enter_async_context(_cluster(installation, self._size, self._config, jvm))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()


@asynccontextmanager
async def sandbox() -> AsyncIterator[str]:
    """Yield the bootstrap servers of the cluster that the environment names, or of a broker started for this block."""
    if named := os.environ.get(BOOTSTRAP_SERVERS):
        yield named
        return
    async with Sandbox() as kafka:
        yield kafka.bootstrap_servers


async def prepare_installation() -> Installation:
    """Return Kafka and Java on disk, with an archive that makes their start fast. Only the first call takes seconds.

    Raises:
        SandboxError: Kafka can't be installed.
    """
    async with hold_lock():
        installation = await install_kafka()
        if not installation.startup_archive.exists():
            Console(stderr=True).print("Recording Kafka's startup, so that later starts take a second (only once)")
            await _record_startup(installation)
    return installation


async def _record_startup(installation: Installation) -> None:
    """Start and stop a broker while the JVM records which classes it loads."""
    partial = installation.startup_archive.with_suffix(".partial")
    async with _cluster(installation, 1, {}, (f"-XX:AOTCacheOutput={partial}",)) as (broker,):
        await broker.stop(timeout=90)
    # A JVM that can't write an archive ignores an empty one; the empty file prevents another attempt at each start.
    partial.touch()
    partial.rename(installation.startup_archive)


@asynccontextmanager
async def _cluster(
    installation: Installation, size: int, config: Mapping[str, str], jvm: Sequence[str]
) -> AsyncIterator[tuple[Broker, ...]]:
    """Start brokers and wait until they know each other; kill them and remove their data at the end of the block."""
    with _make_folder() as folder, _open_lifeline() as lifeline:
        options = (HEAP_OPTIONS[size], *JVM_OPTIONS, *jvm, f"-Djava.io.tmpdir={folder}")
        java = (str(installation.java), *options, "-cp", installation.class_path)
        ports = claim_free_ports(2 * size)
        for node, port in enumerate(ports[:size], 1):
            settings = format_properties(node, port, ports[size:], folder / f"data-{node}", config)
            (folder / f"broker-{node}.properties").write_text(settings)
        brokers = tuple(Broker(node, port, folder, java, lifeline) for node, port in enumerate(ports[:size], 1))
        cluster_id = uuid4().hex[:22]
        try:
            await _run_all(broker.format(cluster_id) for broker in brokers)
            await _run_all(broker.start() for broker in brokers)
            await _run_all(broker.wait_until_lists([other.node for other in brokers]) for broker in brokers)
            yield brokers
        finally:
            await _run_all(broker.kill() for broker in brokers)


@contextmanager
def _make_folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="sms-bridge-kafka-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _open_lifeline() -> Iterator[int]:
    """Yield the read end of a pipe whose write end only this process has, so that it closes when this process ends."""
    read_end, write_end = os.pipe()
    try:
        yield read_end
    finally:
        os.close(write_end)
        os.close(read_end)


async def _run_all(coroutines: Iterator[Coroutine[Any, Any, None]]) -> None:
    """Run them concurrently. The first error cancels the others and is raised, without a group."""
    try:
        async with asyncio.TaskGroup() as group:
            for coroutine in coroutines:
                group.create_task(coroutine)
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None


async def serve(size: int, ready: Callable[[str], object], topics: Sequence[str] = ()) -> int:
    """Run a cluster until this is cancelled.

    Args:
        size: The number of brokers.
        ready: Called with the bootstrap servers when they answer.
        topics: Topics to create.

    Raises:
        SandboxError: It can't start, or refuses a topic.
    """
    async with Sandbox(size) as kafka:
        if topics:
            admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
            await admin.start()
            try:
                await create_topics(admin, topics, TOPIC_PARTITIONS, size)
            finally:
                await admin.close()
        ready(kafka.bootstrap_servers)
        await asyncio.Event().wait()
        return 0


async def create_topics(admin: AIOKafkaAdminClient, names: Sequence[str], partitions: int, replication: int) -> None:
    """Create topics.

    Raises:
        SandboxError: The cluster refuses one.
    """
    response = await admin.create_topics([NewTopic(name, partitions, replication) for name in names])
    if errors := [f"the topic {name} can't be created: {text}" for name, code, text in response.topic_errors if code]:
        raise SandboxError(errors[0])


def main() -> None:
    """Run a cluster in the foreground until Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m bridge.sandbox.kafka.broker", description=main.__doc__)
    parser.add_argument("--brokers", type=int, choices=sorted(HEAP_OPTIONS), default=1)
    # A shell starts a background job with SIGINT ignored; Ctrl-C must end the cluster there too.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        asyncio.run(serve(parser.parse_args().brokers, lambda servers: print(servers, flush=True)))  # noqa: T201
    except KeyboardInterrupt:
        pass
    except SandboxError as error:
        sys.exit(f"sandbox: {error}")


if __name__ == "__main__":
    main()
