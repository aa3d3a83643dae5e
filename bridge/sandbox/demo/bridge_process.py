"""The bridge as a process of the demo: its settings, its readiness and its metrics.

Nothing of the service is imported here. The demo observes it over HTTP, as Kubernetes and Prometheus do.
"""

import asyncio
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

import orjson
from aiohttp import ClientError, ClientSession, ClientTimeout
from prometheus_client.parser import text_string_to_metric_families
from rich.text import Text

from bridge.sandbox.demo.delivery_consumer import RunNames
from bridge.sandbox.kafka import supervisor
from bridge.sandbox.kafka.installation import SandboxError
from bridge.sandbox.ports import HOST
from bridge.sandbox.simulator.options import PARTNER_ID, TOKEN

INHERITED_VARIABLES = ("PATH", "HOME", "LANG", "TMPDIR", "PYTHONPATH")
"""The only variables that the bridge inherits from the caller; none of them is a setting."""

START_TIMEOUT_SECONDS = 60.0
STOP_TIMEOUT_SECONDS = 15.0
"""The bridge itself drains for up to 8 s."""

MAX_EXIT_CODE = 191
"""The supervisor reports a signal as an exit code above this: 256 minus the signal's number."""

MAX_LOG_LINES = 12
"""How many of the log's last lines an error shows."""

COUNTERS: Mapping[str, tuple[str, str]] = {
    "sms_bridge_reports_folded": ("reports", "outcome"),
    "sms_bridge_callbacks_received": ("callbacks", "outcome"),
    "sms_bridge_polls_completed": ("polls", "outcome"),
    "sms_bridge_dead_letters_written": ("dead_letters", "reason"),
}
"""The metrics that the demo shows: the name used here, and the label whose values are counted separately."""


class PollTiming(NamedTuple):
    """When the bridge polls, and when it gives up."""

    poll_ages_ms: tuple[int, ...]
    give_up_after_ms: int


def make_poll_timing(speed: float) -> PollTiming:
    """Return a timing with which the bridge gives up only on messages that never get a final report.

    Args:
        speed: The providers' times are divided by it. At 1 they know every final status after 16 seconds.
    """
    poll_ages_ms = tuple(round(1000 * age / speed) for age in (2, 4, 8, 16))
    # A poll may be late by a tenth of its age. The very last poll is made 5 s before the bridge gives up, and must come
    # after the others.
    return PollTiming(poll_ages_ms, round(1.1 * poll_ages_ms[-1]) + 6_000)


class Addresses(NamedTuple):
    """The addresses of a run's servers."""

    kafka: str
    providers: Mapping[str, str]
    """The providers' URLs, by name."""
    http_port: int
    """Receives callbacks."""
    admin_port: int


def make_callback_path(provider: str, secret: str) -> str:
    """Return the path to which a provider sends its callbacks."""
    return f"/dlr/{provider}/{secret}"


def make_environment(
    names: RunNames, addresses: Addresses, secret: str, timing: PollTiming, folder: Path
) -> dict[str, str]:
    """Return the environment variables of the bridge's process."""
    account = {
        "POLL": ",".join(f"{age}ms" for age in timing.poll_ages_ms),
        "GIVE_UP_AFTER": f"{timing.give_up_after_ms}ms",
        "POLL_TIMEOUT": "2s",
        "POLL_CONCURRENCY": "32",
        "RATE_PER_SECOND": "200",
        "CALLBACK_SECRETS": secret,
    }
    groups = {
        "KAFKA": {"BOOTSTRAP_SERVERS": addresses.kafka, "GROUP_ID": names.group},
        "TOPICS": {
            **names.topic_settings,
            "JOURNAL_PARTITIONS": "6",
            "DELIVERY_PARTITIONS": "3",
            "REPLICATION": "1",
        },
        "HTTP": {"HOST": HOST, "PORT": str(addresses.http_port)},
        # Recipients of the demo are British.
        "ADMIN": {"HOST": HOST, "PORT": str(addresses.admin_port), "DEFAULT_REGION": "GB"},
        "LOG": {"FORMAT": "console"},
        "STATE": {"DIRECTORY": str(folder / "state")},
        "DEXATEL": {**account, "BASE_URL": addresses.providers["dexatel"], "TOKEN": TOKEN, "POLL_PATH": "/dlr/{id}"},
        "SPEEDOCOM": {
            **account,
            "BASE_URL": addresses.providers["speedocom"],
            "API_KEY": TOKEN,
            "PARTNER_ID": PARTNER_ID,
        },
    }
    settings = {f"SMS_BRIDGE_{g}__{name}": value for g, members in groups.items() for name, value in members.items()}
    return {name: os.environ[name] for name in INHERITED_VARIABLES if name in os.environ} | settings


class BridgeProcess:
    """The running bridge: `async with BridgeProcess(environment, admin_port, folder) as bridge`.

    However this process ends, even by SIGKILL, the bridge ends with it and the folder is removed.
    """

    def __init__(self, environment: Mapping[str, str], admin_port: int, folder: Path) -> None:
        self.environment, self.folder = environment, folder
        self.status_page_url = f"http://{HOST}:{admin_port}"
        """Also the base URL of its probes and metrics."""
        self._log = folder / "bridge.log"

    async def __aenter__(self) -> Self:
        self._client = ClientSession(timeout=ClientTimeout(total=2))
        supervised = (sys.executable, "-I", "-S", supervisor.__file__, str(self.folder))
        with self._log.open("wb") as log:
            self._process: Process = await asyncio.create_subprocess_exec(
                *(*supervised, sys.executable, "-m", "bridge", "run"),
                stdin=PIPE,  # the supervisor notices when this process ends
                stdout=DEVNULL,
                stderr=log,
                start_new_session=True,  # Ctrl-C goes to this process alone, which then stops the bridge
                env=dict(self.environment),
            )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.close()
        with suppress(ProcessLookupError):
            self._process.terminate()
        try:
            await asyncio.wait_for(self._process.wait(), STOP_TIMEOUT_SECONDS)
        except TimeoutError:
            if self._process.stdin is not None:
                self._process.stdin.close()  # the supervisor then kills it
            await self._process.wait()

    async def wait_until_ready(self) -> None:
        """Return when the bridge is ready and has restored its state, so that it handles the first message at once.

        Raises:
            SandboxError: It ended, or was not ready in time.
        """
        try:
            async with asyncio.timeout(START_TIMEOUT_SECONDS):
                while not await self._is_ready():
                    self._raise_if_ended()
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise self._make_error(f"was not ready within {START_TIMEOUT_SECONDS:g} s") from None

    async def fetch_counts(self) -> Mapping[str, int]:
        """Return its metrics, under names such as `reports.duplicate`, `callbacks.journaled`, `polls.no_report`.

        Raises:
            SandboxError: It has ended.
        """
        self._raise_if_ended()
        status, text = await self._get("/metrics")
        return _parse_counts(text) if status == HTTPStatus.OK else {}

    async def _is_ready(self) -> bool:
        status, text = await self._get("/readyz")
        return status == HTTPStatus.OK and not orjson.loads(text).get("restoring")

    async def _get(self, path: str) -> tuple[int, str]:
        """Return a response's status and text; 503 if there is none."""
        try:
            async with self._client.get(self.status_page_url + path) as response:
                return response.status, await response.text()
        except (ClientError, TimeoutError, OSError):
            return HTTPStatus.SERVICE_UNAVAILABLE, ""

    def _raise_if_ended(self) -> None:
        code = self._process.returncode
        if code is not None:
            raise self._make_error(
                f"was killed by signal {256 - code}" if code > MAX_EXIT_CODE else f"ended with exit code {code}"
            )

    def _make_error(self, event: str) -> SandboxError:
        last = Text.from_ansi(self._log.read_text(errors="replace")).plain.splitlines()[-MAX_LOG_LINES:]
        return SandboxError("\n  ".join([f"the bridge {event}; its log ends with:", *(last or ["(nothing)"])]))


def _parse_counts(text: str) -> Mapping[str, int]:
    counts: Counter[str] = Counter()
    for family in text_string_to_metric_families(text):
        name, label = COUNTERS.get(family.name, ("", ""))
        for sample in family.samples if name else ():
            if sample.name.endswith("_total"):
                counts[f"{name}.{sample.labels[label]}"] += int(sample.value)
    return counts
