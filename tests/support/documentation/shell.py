"""A real shell into which the documentation's lines are typed."""

import asyncio
import os
import re
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from tests.support.service.command import Said
from tests.support.service.process import PREFIX

WITHIN = 60
MASKS = (
    (r"\b[0-9a-f]{8}-[0-9a-f-]{27}\b", "ID"),
    (r"\b(\d{4}-)?\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?Z", "TIME"),
    (r"\b\d+(\.\d+)? ?(ms|s|m|h|d)\b( \d+ ?(ms|s|m|h|d)\b)*", "SPAN"),
    (r" at \d+/\d+", " at PLACE"),
    (r"^\d+/\d+ ", "PLACE "),
    (r"offset \d+", "offset N"),
    (r"\d+ records? read", "N records read"),
)
"""What is another one each time, and what stands for it in a comparison."""


def mask_output(text: str) -> list[list[str]]:
    """Return printed output as words, without blank lines, widths, order and varying values."""
    for pattern, name in MASKS:
        text = re.sub(pattern, name, text, flags=re.MULTILINE)
    return sorted(line.split() for line in text.splitlines() if line.strip())


class Shell:
    """A clean shell in a folder of its own.

    Args:
        folder: Where it stands.
        settings: What the bridge is told beside what is typed: where things are on this machine.
        stand_ins: Names of the documentation, and what they are called here.
    """

    def __init__(self, folder: Path, settings: Mapping[str, str], stand_ins: Mapping[str, str]) -> None:
        self.settings = dict(settings)
        self.stand_ins = dict(stand_ins)
        self._folder = folder

    def real(self, text: str) -> str:
        """Replace the documentation's names by this machine's."""
        for name, stand_in in self.stand_ins.items():
            text = text.replace(name, stand_in)
        return text

    def printed(self, text: str) -> str:
        """Replace this machine's names by the documentation's."""
        for name, stand_in in self.stand_ins.items():
            text = text.replace(stand_in, name)
        return text

    async def type(self, line: str) -> Said:
        """Run a line to its end. Exported variables stay for the next line."""
        if line.startswith("export "):
            line = f"set -eu\n{line}\nenv -0"
        async with self.typed(line) as process, asyncio.timeout(WITHIN):
            out, err = (text.decode() for text in await process.communicate())
        if "env -0" in line:
            pairs = (pair.split("=", 1) for pair in out.split("\0") if pair.startswith(PREFIX))
            self.settings = {name.removeprefix(PREFIX): value for name, value in pairs}
        return Said(process.returncode or 0, self.printed(out), self.printed(err))

    async def interrupted(self, line: str, alive: Callable[[Process], Awaitable[None]]) -> Said:
        """Run an endless line, and press Ctrl-C when it has shown that it runs."""
        async with self.typed(line) as process, asyncio.timeout(WITHIN):
            await alive(process)
            os.killpg(process.pid, signal.SIGINT)
            out, err = (text.decode() for text in await process.communicate())
        return Said(process.returncode or 0, self.printed(out), self.printed(err))

    @asynccontextmanager
    async def typed(self, line: str) -> AsyncIterator[Process]:
        """Start a line; everything that it started is killed at the end of the block."""
        variables = {f"{PREFIX}{name}": value for name, value in self.settings.items()}
        path = f"{self._folder}/bin:{Path(sys.executable).parent}:{os.environ['PATH']}"
        process = await asyncio.create_subprocess_exec(
            *("bash", "--noprofile", "--norc", "-c", self.real(line)),
            env={"PATH": path, "HOME": os.environ["HOME"], "LC_ALL": "C.UTF-8", **variables},
            cwd=self._folder,
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=PIPE,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
