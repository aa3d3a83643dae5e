"""A contestant's process: started, measured, ended. Nothing here knows what it does."""

import asyncio
import os
import signal
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from bench.meters import cpu_seconds, rss_bytes

END_WITHIN = 15.0
"""Seconds from SIGTERM to SIGKILL."""

LAST_LINES = 15
"""Of its log, when it fails."""


class Failed(Exception):  # noqa: N818 - named for what happened
    """A contestant can't be had, or did not do its work; the text says why."""


class Running:
    """A process within its context.

    Args:
        command: What to run.
        folder: Where; its log is in it.
        environment: All that it gets, beside PATH and HOME.
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
        await self.end()

    @property
    def pid(self) -> int:
        """Its id."""
        assert self._process is not None
        return self._process.pid

    def cpu(self) -> float:
        """CPU seconds used so far."""
        self.check()
        return cpu_seconds(self.pid)

    def rss(self) -> int:
        """Bytes of memory held now."""
        self.check()
        return rss_bytes(self.pid)

    def check(self) -> None:
        """See that it is alive.

        Raises:
            Failed: It has ended.
        """
        if self._process is None or self._process.returncode is not None:
            raise Failed(f"it ended by itself; its log ends with:\n{self.tail()}")

    def tail(self) -> str:
        """The last lines that it wrote."""
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-LAST_LINES:])

    async def until(self, condition: Callable[[], Awaitable[bool]], within: float, every: float = 0.05) -> None:
        """Wait until something holds.

        Args:
            condition: Asked again and again.
            within: Seconds.
            every: Seconds between.

        Raises:
            Failed: It did not in time, or the process ended.
        """
        try:
            async with asyncio.timeout(within):
                while not await condition():
                    self.check()
                    await asyncio.sleep(every)
        except TimeoutError:
            raise Failed(f"not done within {within:g} s; its log ends with:\n{self.tail()}") from None

    async def end(self) -> None:
        """Tell it to end, and see that it does."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), END_WITHIN)
        except TimeoutError:
            process.kill()
            await process.wait()


async def finished(command: Sequence[str], folder: Path, environment: Mapping[str, str], within: float) -> str:
    """Run something to its end.

    Returns:
        What it wrote.

    Raises:
        Failed: It failed, or took longer than `within` seconds.
    """
    running = Running(command, folder, environment)
    async with running:
        process = running._process  # noqa: SLF001 - this is its other half
        assert process is not None
        try:
            code = await asyncio.wait_for(process.wait(), within)
        except TimeoutError:
            raise Failed(f"{command[0]} took more than {within:g} s") from None
    if code:
        raise Failed(f"{' '.join(command[:4])} failed:\n{running.tail()}")
    return running._log.read_text(errors="replace")  # noqa: SLF001 - the same
