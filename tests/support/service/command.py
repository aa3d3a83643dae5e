"""Runs a command of `sms-bridge` as a process, and checks that its output contains no secret."""

import asyncio
import json
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from tests.support.service.process import SECRET_NAMES, environment

COMMAND = (sys.executable, "-c", "from bridge.cli import main; main()")
WITHIN = 60


class Said(NamedTuple):
    """The result of a command."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """Its output as JSON."""
        return json.loads(self.out)


async def sms_bridge(settings: Mapping[str, str], *arguments: str) -> Said:
    """Run a command to its end."""
    async with started(settings, *arguments) as process, asyncio.timeout(WITHIN):
        out, err = await process.communicate()
    said = Said(process.returncode or 0, out.decode(), err.decode())
    values = (value for name, value in settings.items() if name.endswith(SECRET_NAMES))
    leaked = [secret for value in values for secret in value.split(",") if secret in said.out + said.err]
    assert not leaked
    assert "Traceback" not in said.err, said.err
    assert "\x1b" not in said.out, "colours are for terminals"
    return said


@asynccontextmanager
async def started(settings: Mapping[str, str], *arguments: str) -> AsyncIterator[Process]:
    """Start a command; it is killed at the end of the block."""
    process = await asyncio.create_subprocess_exec(
        *(*COMMAND, *arguments), env=environment(settings), stdin=DEVNULL, stdout=PIPE, stderr=PIPE
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def ended(process: Process, number: signal.Signals) -> int:
    """Send a signal and return the exit code."""
    process.send_signal(number)
    async with asyncio.timeout(WITHIN):
        return await process.wait()
