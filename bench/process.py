"""A contestant's process: starts, measures and stops it."""

import asyncio
import os
import signal
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from bench.meters import measure_cpu_seconds, measure_rss_bytes

STOP_TIMEOUT_SECONDS = 15.0
"""From SIGTERM to SIGKILL."""

MAX_LOG_LINES = 15
"""How many of the log's last lines an error shows."""


class BenchmarkError(Exception):
    """A contestant is missing or did not do its work; the text says why."""


class MeasuredProcess:
    """A process that runs while the context is open.

    Args:
        command: The command.
        folder: Its working directory, which contains its log.
        environment: Its variables, besides PATH and HOME.
    """

    def __init__(self, command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        inherited = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        self._command, self._folder = tuple(command), folder
        self._environment = {**inherited, "LC_ALL": "C.UTF-8", **environment}
        self._log = folder / "output.log"
        self._process: Process | None = None

    async def __aenter__(self) -> Self:
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._command, cwd=self._folder, env=self._environment, stdin=DEVNULL, stdout=log, stderr=log
            )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    @property
    def pid(self) -> int:
        """Its id."""
        assert self._process is not None
        return self._process.pid

    def read_cpu_seconds(self) -> float:
        """Return the CPU time used so far."""
        self.raise_if_ended()
        return measure_cpu_seconds(self.pid)

    def read_rss_bytes(self) -> int:
        """Return the resident memory."""
        self.raise_if_ended()
        return measure_rss_bytes(self.pid)

    def raise_if_ended(self) -> None:
        """Check that it is running.

        Raises:
            BenchmarkError: It has ended.
        """
        if self._process is None or self._process.returncode is not None:
            raise BenchmarkError(f"it ended by itself; its log ends with:\n{self.tail()}")

    def tail(self) -> str:
        """Return the last lines of its log."""
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-MAX_LOG_LINES:])

    async def wait_until(
        self, condition: Callable[[], Awaitable[bool]], timeout: float, interval: float = 0.05
    ) -> None:
        """Wait until a condition holds.

        Args:
            condition: Checked repeatedly.
            timeout: In seconds.
            interval: Seconds between two checks.

        Raises:
            BenchmarkError: It didn't hold in time, or the process ended.
        """
        try:
            async with asyncio.timeout(timeout):
                while not await condition():
                    self.raise_if_ended()
                    await asyncio.sleep(interval)
        except TimeoutError:
            raise BenchmarkError(f"not done within {timeout:g} s; its log ends with:\n{self.tail()}") from None

    async def stop(self) -> None:
        """Stop it, and kill it after a timeout."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), STOP_TIMEOUT_SECONDS)
        except TimeoutError:
            process.kill()
            await process.wait()


async def run_to_end(command: Sequence[str], folder: Path, environment: Mapping[str, str], timeout: float) -> str:
    """Run a command and return its output.

    Raises:
        BenchmarkError: It failed, or took longer than `timeout` seconds.
    """
    running = MeasuredProcess(command, folder, environment)
    async with running:
        process = running._process  # noqa: SLF001 - in the same module
        assert process is not None
        try:
            code = await asyncio.wait_for(process.wait(), timeout)
        except TimeoutError:
            raise BenchmarkError(f"{command[0]} took more than {timeout:g} s") from None
    if code:
        raise BenchmarkError(f"{' '.join(command[:4])} failed:\n{running.tail()}")
    return running._log.read_text(errors="replace")  # noqa: SLF001 - in the same module
