"""One Kafka broker's process: start, wait for readiness, stop, kill.

A cluster of brokers is in `broker.py`. `supervisor.py` makes sure that a broker ends with this process.
"""

import asyncio
import signal
import sys
from asyncio.subprocess import STDOUT, Process
from collections.abc import Collection, Sequence
from contextlib import suppress
from pathlib import Path

from aiokafka.conn import create_conn
from aiokafka.errors import KafkaError
from aiokafka.protocol.metadata import MetadataRequest

from bridge.sandbox.kafka import supervisor
from bridge.sandbox.kafka.installation import SandboxError
from bridge.sandbox.ports import HOST

START_TIMEOUT_SECONDS = 90.0
"""An idle machine needs one or two seconds; a busy machine must not fail."""

STOP_TIMEOUT_SECONDS = 30.0

MAX_LOG_LINES = 15
"""How many of the log's last lines an error shows."""


class Broker:
    """One broker, in combined mode (also a controller). A restart keeps its data and its port.

    Args:
        node: Its id.
        port: Where it serves clients.
        folder: Holds its configuration, `broker-{node}.properties`, and its log.
        java: The command that runs a class, without the class and its arguments.
        lifeline: The read end of a pipe; the broker is killed when the pipe closes.
    """

    def __init__(self, node: int, port: int, folder: Path, java: Sequence[str], lifeline: int) -> None:
        self.node = node
        self.bootstrap_server = f"{HOST}:{port}"
        self.log = folder / f"broker-{node}.log"
        self._properties = str(folder / f"broker-{node}.properties")
        self._supervisor = (sys.executable, "-I", "-S", supervisor.__file__, str(folder))
        self._java = java
        self._lifeline = lifeline
        self._process: Process | None = None

    @property
    def running(self) -> bool:
        """Whether its process is alive."""
        return self._process is not None and self._process.returncode is None

    @property
    def supervisor_pid(self) -> int | None:
        """The process whose only child is the broker; None before its start."""
        return self._process.pid if self._process else None

    async def format(self, cluster_id: str) -> None:
        """Format its data folder before its first start.

        Raises:
            SandboxError: Kafka's storage tool failed.
        """
        self._process = await self._run("kafka.tools.StorageTool", "format", "-t", cluster_id, "-c", self._properties)
        if await self._process.wait():
            raise self._make_error("can't format its storage")

    async def start(self, timeout: float = START_TIMEOUT_SECONDS) -> None:
        """Start it, and wait until it lists itself as alive.

        Args:
            timeout: Seconds.

        Raises:
            SandboxError: It ended, or was not ready in time.
        """
        if not self.running:
            self._process = await self._run("kafka.Kafka", self._properties)
        await self.wait_until_lists([self.node], timeout)

    async def wait_until_lists(self, nodes: Collection[int], timeout: float = START_TIMEOUT_SECONDS) -> None:
        """Wait until its metadata lists these brokers.

        Raises:
            SandboxError: It ended, or didn't list them in time.
        """
        try:
            async with asyncio.timeout(timeout):
                while not await self._list_brokers() >= set(nodes):
                    if not self.running:
                        raise self._make_error("ended before it was ready")
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise self._make_error(f"was not ready within {timeout:g} s") from None

    async def stop(self, timeout: float = STOP_TIMEOUT_SECONDS) -> None:
        """Shut it down in order, so that it first hands over its partitions. After `timeout` seconds kill it."""
        self._signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(timeout):
                await self._wait_until_ended()
        except TimeoutError:
            await self.kill()

    async def kill(self) -> None:
        """Kill it with SIGKILL, like a machine that fails."""
        self._signal(signal.SIGUSR1)  # the supervisor kills the broker on this signal
        await self._wait_until_ended()

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.send_signal(number)

    async def _wait_until_ended(self) -> None:
        if self._process is not None:
            await self._process.wait()

    async def _run(self, *arguments: str) -> Process:
        with self.log.open("ab") as log:
            return await asyncio.create_subprocess_exec(
                *(*self._supervisor, *self._java, *arguments),
                stdin=self._lifeline,
                stdout=log,
                stderr=STDOUT,
                start_new_session=True,  # Ctrl-C goes to this process alone, which then stops the broker
                env={"LC_ALL": "C.UTF-8"},  # no inherited Java options
            )

    async def _list_brokers(self) -> set[int]:
        """Return the brokers in its metadata; none while it doesn't respond."""
        host, _, port = self.bootstrap_server.partition(":")
        try:
            connection = await create_conn(host, int(port), request_timeout_ms=2_000)
            try:
                metadata = await connection.send(MetadataRequest([]))
            finally:
                connection.close()
        except (OSError, KafkaError):
            return set()
        return {node for node, *_address in metadata.brokers}

    def _make_error(self, event: str) -> SandboxError:
        last_lines = self.log.read_text(errors="replace").splitlines()[-MAX_LOG_LINES:] if self.log.exists() else []
        return SandboxError("\n  ".join([f"Kafka broker {self.node} {event}; its log ends with:", *last_lines]))
