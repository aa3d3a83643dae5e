"""One Kafka broker: configured by `properties.py`, started, asked whether it is ready, stopped, killed.

Here is a broker's process and nothing of a cluster (`broker.py`) or of topics. That it doesn't outlive us is the
affair of `keeper.py`.
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
from bridge.sandbox.kafka.server_properties import HOST

START_TIMEOUT = 90.0
"""Seconds for a broker to answer. A machine at rest needs one or two; a busy one is no reason to fail."""


class Broker:
    """One broker, in combined mode (it is a controller too). Its data and its port outlive its process.

    Args:
        node: Its id.
        port: Where it serves clients.
        folder: Holds its configuration, `broker-{node}.properties`, and its log.
        java: The command that runs a class, given the class and its arguments.
        lifeline: A pipe's end to read from; when it ends, so does the broker.
    """

    def __init__(self, node: int, port: int, folder: Path, java: Sequence[str], lifeline: int) -> None:
        self.node = node
        self.bootstrap_server = f"{HOST}:{port}"
        self.log = folder / f"broker-{node}.log"
        self._properties = str(folder / f"broker-{node}.properties")
        self._keeper = (sys.executable, "-I", "-S", supervisor.__file__, str(folder))
        self._java = java
        self._lifeline = lifeline
        self._process: Process | None = None

    @property
    def running(self) -> bool:
        """Whether its process is alive."""
        return self._process is not None and self._process.returncode is None

    async def format(self, cluster_id: str) -> None:
        """Write what its data folder must hold before its first start.

        Raises:
            SandboxError: Kafka's own tool failed.
        """
        self._process = await self._run("kafka.tools.StorageTool", "format", "-t", cluster_id, "-c", self._properties)
        if await self._process.wait():
            raise self._failed("can't format its storage")

    async def start(self, timeout: float = START_TIMEOUT) -> None:
        """Start it, and wait until it answers and counts itself among the living.

        Args:
            timeout: Seconds.

        Raises:
            SandboxError: It ended, or was not ready in time.
        """
        if not self.running:
            self._process = await self._run("kafka.Kafka", self._properties)
        await self.sees([self.node], timeout)

    async def sees(self, nodes: Collection[int], timeout: float = START_TIMEOUT) -> None:
        """Wait until its answer to a client lists these brokers.

        Raises:
            SandboxError: It ended, or didn't list them in time.
        """
        try:
            async with asyncio.timeout(timeout):
                while not await self._listed() >= set(nodes):
                    if not self.running:
                        raise self._failed("ended before it was ready")
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise self._failed(f"was not ready within {timeout:g} s") from None

    async def stop(self, timeout: float = 30) -> None:
        """Shut it down in order: it hands over what it leads. After `timeout` seconds it is killed."""
        self._signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(timeout):
                await self._ended()
        except TimeoutError:
            await self.kill()

    async def kill(self) -> None:
        """End it at once with SIGKILL, as a lost machine would."""
        self._signal(signal.SIGUSR1)  # the keeper's word for it
        await self._ended()

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.send_signal(number)

    async def _ended(self) -> None:
        if self._process is not None:
            await self._process.wait()

    async def _run(self, *arguments: str) -> Process:
        with self.log.open("ab") as log:
            return await asyncio.create_subprocess_exec(
                *(*self._keeper, *self._java, *arguments),
                stdin=self._lifeline,
                stdout=log,
                stderr=STDOUT,
                start_new_session=True,  # a terminal's Ctrl-C is meant for us; we then end it
                env={"LC_ALL": "C.UTF-8"},  # bare: nobody's Java options
            )

    async def _listed(self) -> set[int]:
        """The brokers that it names in a metadata response; none while it does not answer."""
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

    def _failed(self, what: str) -> SandboxError:
        last = self.log.read_text(errors="replace").splitlines()[-15:] if self.log.exists() else []
        return SandboxError("\n  ".join([f"Kafka broker {self.node} {what}; its log ends with:", *last]))
