"""The bridge as a process: starts, stops and kills it, reads its admin listener and its log."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Self

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from tests.support.ports import find_free_ports
from tests.support.waiting import wait_until

ARGUMENTS = ("-c", "from bridge.cli import main; main()", "run")
SECRET_NAMES = (
    *("TOKEN", "API_KEY", "CALLBACK_SECRETS", "WEBHOOK_SECRET", "SIGNATURE__SECRET", "HASH_KEY"),
    *("PASSWORD", "CLIENT_SECRET"),
)
FORBIDDEN = ("never retrieved", "Traceback", "was never awaited", "was destroyed but it is pending")
PREFIX, OTEL = "SMS_BRIDGE_", "OTEL_"


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of a service with these settings, without those of the tests."""
    return {
        "PATH": os.environ["PATH"],
        "LC_ALL": "C.UTF-8",
        **{name if name.startswith(OTEL) else f"{PREFIX}{name}": value for name, value in settings.items()},
    }


class Service:
    """One process of the bridge. Settings, ports, state folder and log stay when it is restarted.

    Args:
        settings: Names without the prefix.
        folder: Its working directory, which contains its state.
        roles: Its roles; None: all.
        variables: More environment variables.
    """

    def __init__(
        self,
        settings: Mapping[str, str],
        folder: Path,
        roles: str | None = None,
        variables: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        folder.mkdir(parents=True)
        public, admin = find_free_ports(2)
        token = settings.get("ADMIN__TOKEN")
        user = f"on-call:{token}@" if token else ""
        self.url, self.admin_url = f"http://127.0.0.1:{public}", f"http://{user}127.0.0.1:{admin}"
        self.state = folder / "state"
        self.settings = {
            "HTTP__HOST": "127.0.0.1",
            "HTTP__PORT": str(public),
            "ADMIN__HOST": "127.0.0.1",
            "ADMIN__PORT": str(admin),
            "STATE__DIRECTORY": str(self.state),
            **settings,
        }
        self._roles = ("--roles", roles) if roles else ()
        self.python = sys.executable
        """The interpreter from the next start on."""
        self.variables = variables
        self._folder = folder
        self._log = folder / "bridge.log"
        self._log.touch()
        self._read = 0
        self._process: Process | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        code = await self.stop()
        assert code == 0, f"it ended with {code}:\n{self.tail()}"

    @property
    def log(self) -> str:
        """The output of all its starts."""
        return self._log.read_text(errors="replace")

    def tail(self, lines: int = 40) -> str:
        """Return the last lines of its log."""
        return "\n".join(self.log.splitlines()[-lines:])

    @property
    def secrets(self) -> list[str]:
        """Values that must never appear anywhere."""
        values = (value for name, value in self.settings.items() if name.endswith(SECRET_NAMES))
        return [secret for value in values for secret in value.split(",")]

    def assert_clean_log(self) -> None:
        """Assert that the log since the last call has no forbidden line."""
        new = self.log[self._read :]
        self._read += len(new)
        found = [word for word in (*FORBIDDEN, *self.secrets) if word in new]
        assert not found, f"the log has {found}:\n{self.tail(60)}"

    @property
    def running(self) -> bool:
        """Whether the process is alive."""
        return self._process is not None and self._process.returncode is None

    @property
    def process_id(self) -> int:
        """The id of its process, which was started."""
        assert self._process is not None
        return self._process.pid

    async def start(self, *, ready: bool = True) -> None:
        """Start it and wait until it is ready."""
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                self.python,
                *ARGUMENTS,
                *self._roles,
                env={**environment(self.settings), **self.variables},
                cwd=self._folder,
                stdin=DEVNULL,
                stdout=log,
                stderr=log,
            )
        if ready:
            await self.wait_until_ready()

    async def wait_until_ready(self) -> None:
        """Return when `/readyz` reports ready."""
        await wait_until(self.is_ready, 60, lambda: f"it isn't ready:\n{self.tail()}")

    async def is_ready(self) -> bool:
        """Return whether `/readyz` reports ready."""
        assert self.running, f"the bridge ended by itself:\n{self.tail()}"
        try:
            status, _ = await self.fetch("/readyz")
        except aiohttp.ClientError:
            return False
        return status == 200

    async def fetch(self, path: str) -> tuple[int, str]:
        """GET from the admin listener; return status and text."""
        async with aiohttp.ClientSession() as client, client.get(self.admin_url + path) as response:
            return response.status, await response.text()

    async def read_samples(self) -> dict[str, float]:
        """Return every sample of `/metrics`, in Prometheus's notation with sorted labels."""
        _, text = await self.fetch("/metrics")
        leaked = [secret for secret in self.secrets if secret in text]
        assert not leaked
        found: dict[str, float] = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                labels = ",".join(f'{name}="{value}"' for name, value in sorted(sample.labels.items()))
                found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
        return found

    async def read_sample(self, name: str) -> float:
        """Return one sample, or 0 if it doesn't exist yet."""
        return (await self.read_samples()).get(name, 0.0)

    async def wait_until_ended(self, within: float = 60) -> int:
        """Wait until it has ended, and return its exit code."""
        assert self._process is not None
        try:
            async with asyncio.timeout(within):
                return await self._process.wait()
        except TimeoutError:
            raise AssertionError(f"it didn't end within {within} s:\n{self.tail()}") from None

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    async def stop(self) -> int:
        """Stop it and return its exit code."""
        assert self._process is not None
        if not self.running:
            return self._process.returncode or 0
        self.signal(signal.SIGTERM)
        try:
            return await self.wait_until_ended()
        except AssertionError:
            await self.kill()
            raise

    async def kill(self) -> None:
        """Kill it, like a machine that fails."""
        assert self._process is not None
        if self.running:
            self._process.kill()
        await self._process.wait()


async def run_refused(settings: Mapping[str, str], folder: Path, *arguments: str) -> tuple[int, list[str]]:
    """Run a service that should not start; return its exit code and its lines."""
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *ARGUMENTS,
        *arguments,
        env=environment({"STATE__DIRECTORY": str(folder / "state"), **settings}),
        cwd=folder,
        stdin=DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(60):
            out, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        out, _ = await process.communicate()
        raise AssertionError(f"it started, and shouldn't have:\n{out.decode()[-3000:]}") from None
    lines: list[str] = out.decode().splitlines()
    # What the process logs on its way is its own; what it says to a person begins with its name.
    return process.returncode or 0, [line for line in lines if not line.startswith("{")]
