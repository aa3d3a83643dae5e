"""A real Apache Kafka for tests and the demo: one broker or three, on ports and in a folder of their own.

Here is how a cluster comes and goes; one broker's life is `node.py`, its settings `properties.py`, where its programs
come from `installation.py`. Nothing here knows topics. `python -m bridge.sandbox.kafka.broker` runs one until Ctrl-C.
"""

import argparse
import asyncio
import os
import random
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Coroutine, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

from rich.console import Console

from bridge.sandbox.kafka.installation import Installation, SandboxError, hold_lock, install_kafka
from bridge.sandbox.kafka.node import Broker
from bridge.sandbox.kafka.server_properties import HOST, broker_properties

__all__ = ["BOOTSTRAP_SERVERS", "Broker", "Sandbox", "SandboxError", "sandbox"]

BOOTSTRAP_SERVERS = "SMS_BRIDGE_SANDBOX_BOOTSTRAP_SERVERS"
"""Names a cluster to use in place of one started here. The service's own variables never reach the sandbox."""

PORTS = range(20_000, 32_000)
"""Below those that Linux hands out to clients, so that nobody takes a broker's port while it is down."""

HEAP = {1: "-Xmx512m", 3: "-Xmx384m"}
"""By the number of brokers."""

JVM = (
    "-XX:+UseSerialGC",  # the smallest and, on few cores, the quickest to be up
    "-XX:TieredStopAtLevel=1",  # a broker that lives for minutes never earns back what optimising it costs
    "-XX:+ExitOnOutOfMemoryError",
    "-XX:-UsePerfData",  # or each leaves a file in /tmp when killed
    "-Xlog:disable",  # the JVM's own remarks; errors still come
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
)


class Sandbox:
    """A cluster: `async with Sandbox() as kafka: kafka.bootstrap_servers`.

    However this process ends, SIGKILL included, the brokers end with it and their folder is removed.

    Args:
        brokers: 1 or 3.
        config: Kafka's own settings, over those of `properties.py`.
        jvm: Further options of each broker's Java.
    """

    def __init__(self, brokers: int = 1, *, config: Mapping[str, str] | None = None, jvm: Sequence[str] = ()) -> None:
        self.brokers: tuple[Broker, ...] = ()
        self._size = brokers
        self._config = config or {}
        self._jvm = jvm
        self._stack = AsyncExitStack()

    @property
    def bootstrap_servers(self) -> str:
        """The addresses of all brokers, with commas between."""
        return ",".join(broker.bootstrap_server for broker in self.brokers)

    async def __aenter__(self) -> Self:
        installation = await ready_to_run()
        jvm = (f"-XX:AOTCache={installation.startup_archive}", *self._jvm)
        self.brokers = await self._stack.enter_async_context(_cluster(installation, self._size, self._config, jvm))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()


@asynccontextmanager
async def sandbox() -> AsyncIterator[str]:
    """Bootstrap servers of a cluster to use: the one that the environment names, or a broker started for this block."""
    if named := os.environ.get(BOOTSTRAP_SERVERS):
        yield named
        return
    async with Sandbox() as kafka:
        yield kafka.bootstrap_servers


async def ready_to_run() -> Installation:
    """Kafka and Java on disk, with all that makes their start quick. Takes seconds the first time, then none.

    Raises:
        SandboxError: They can't be had.
    """
    async with hold_lock():
        installation = await install_kafka()
        if not installation.startup_archive.exists():
            Console(stderr=True).print("Recording Kafka's start, so that later ones take a second (only once)")
            await _record_start(installation)
    return installation


async def _record_start(installation: Installation) -> None:
    """Start a broker and stop it while the JVM writes down which classes that took."""
    partial = installation.startup_archive.with_suffix(".partial")
    async with _cluster(installation, 1, {}, (f"-XX:AOTCacheOutput={partial}",)) as (broker,):
        await broker.stop(timeout=90)
    # A JVM that can't write an archive also ignores an empty one; that it is there keeps us from trying each time.
    partial.touch()
    partial.rename(installation.startup_archive)


@asynccontextmanager
async def _cluster(
    installation: Installation, size: int, config: Mapping[str, str], jvm: Sequence[str]
) -> AsyncIterator[tuple[Broker, ...]]:
    """Brokers that are up and know each other; gone, with their data, at the block's end."""
    with _folder() as folder, _lifeline() as lifeline:
        options = (HEAP[size], *JVM, *jvm, f"-Djava.io.tmpdir={folder}")
        java = (str(installation.java), *options, "-cp", installation.class_path)
        ports = free_ports(2 * size)
        for node, port in enumerate(ports[:size], 1):
            settings = broker_properties(node, port, ports[size:], folder / f"data-{node}", config)
            (folder / f"broker-{node}.properties").write_text(settings)
        brokers = tuple(Broker(node, port, folder, java, lifeline) for node, port in enumerate(ports[:size], 1))
        cluster_id = uuid4().hex[:22]
        try:
            await _together(broker.format(cluster_id) for broker in brokers)
            await _together(broker.start() for broker in brokers)
            await _together(broker.sees([other.node for other in brokers]) for broker in brokers)
            yield brokers
        finally:
            await _together(broker.kill() for broker in brokers)


@contextmanager
def _folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="sms-bridge-kafka-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _lifeline() -> Iterator[int]:
    """A pipe that only this process can write to: it ends when this process does."""
    reading, writing = os.pipe()
    try:
        yield reading
    finally:
        os.close(writing)
        os.close(reading)


async def _together(steps: Iterator[Coroutine[Any, Any, None]]) -> None:
    """Take the steps at the same time; the first failure ends the others and is raised as it is."""
    try:
        async with asyncio.TaskGroup() as group:
            for step in steps:
                group.create_task(step)
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None


def free_ports(count: int) -> list[int]:
    """Ports on the loopback address that nobody uses now."""
    # Not the shared generator: tests seed it, and two processes would take the same ports.
    candidates = random.SystemRandom().sample(PORTS, len(PORTS))
    found: list[int] = []
    with ExitStack() as held:
        for port in candidates:
            if len(found) == count:
                break
            with suppress(OSError):
                held.enter_context(socket.create_server((HOST, port)))
                found.append(port)
    return found


async def _serve(size: int) -> None:
    async with Sandbox(size) as kafka:
        sys.stdout.write(f"{kafka.bootstrap_servers}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


def main() -> None:
    """Run a cluster in the foreground until Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m bridge.sandbox.kafka.broker", description=main.__doc__)
    parser.add_argument("--brokers", type=int, choices=sorted(HEAP), default=1)
    # A shell starts a background job with SIGINT ignored; Ctrl-C must end this one too.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        asyncio.run(_serve(parser.parse_args().brokers))
    except KeyboardInterrupt:
        pass
    except SandboxError as failure:
        sys.exit(f"sandbox: {failure}")


if __name__ == "__main__":
    main()
