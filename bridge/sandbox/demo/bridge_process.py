"""The bridge as the demo runs it: its own process with its own environment, known only by what it shows the world.

Nothing of it is imported here: it is looked at over HTTP, as Kubernetes and Prometheus do.
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
from bridge.sandbox.kafka.server_properties import HOST
from bridge.sandbox.simulator.server import PARTNER_ID, TOKEN

INHERITED = ("PATH", "HOME", "LANG", "TMPDIR", "PYTHONPATH")
"""All that the bridge gets of the caller's environment: none of its settings are among it."""

START_WITHIN = 60.0
STOP_WITHIN = 15.0
"""Seconds; the bridge itself drains for eight."""

SIGNALLED = 191
"""The keeper tells of a signal by an exit code above this: 256 less the signal's number."""

LAST_LINES = 12
"""Of its log, when it fails."""

COUNTED: Mapping[str, tuple[str, str]] = {
    "sms_bridge_reports_folded": ("reports", "outcome"),
    "sms_bridge_callbacks_received": ("callbacks", "outcome"),
    "sms_bridge_polls_completed": ("polls", "outcome"),
    "sms_bridge_dead_letters_written": ("dead_letters", "reason"),
}
"""The counters that a demo shows: what they are called here, and the label by which each is told apart."""


class PollTiming(NamedTuple):
    """When the bridge asks, and when it gives up. Durations in milliseconds."""

    polls: tuple[int, ...]
    give_up: int


def make_poll_timing(speed: float) -> PollTiming:
    """A pace at which the bridge gives up on nothing that can still be learnt.

    Args:
        speed: What the providers' times are divided by. At 1 they know all they will ever know after 16 seconds.
    """
    polls = tuple(round(1000 * age / speed) for age in (2, 4, 8, 16))
    # A poll may come a tenth late; the very last one comes 5 s before the end, and must come after that.
    return PollTiming(polls, round(1.1 * polls[-1]) + 6_000)


class Addresses(NamedTuple):
    """Where everything is."""

    kafka: str
    providers: Mapping[str, str]
    """The providers' URLs, by name."""
    http: int
    """The port for callbacks."""
    admin: int


def callback_path(provider: str, secret: str) -> str:
    """Where a provider sends its callbacks."""
    return f"/dlr/{provider}/{secret}"


def make_environment(names: RunNames, at: Addresses, secret: str, when: PollTiming, folder: Path) -> dict[str, str]:
    """All that the bridge's process knows."""
    account = {
        "POLL": ",".join(f"{age}ms" for age in when.polls),
        "GIVE_UP_AFTER": f"{when.give_up}ms",
        "POLL_TIMEOUT": "2s",
        "POLL_CONCURRENCY": "32",
        "RATE_PER_SECOND": "200",
        "CALLBACK_SECRETS": secret,
    }
    groups = {
        "KAFKA": {"BOOTSTRAP_SERVERS": at.kafka, "GROUP_ID": names.group},
        "TOPICS": {
            "SENT": names.sent,
            "DELIVERY": names.delivery,
            "JOURNAL": names.journal,
            "STATE": names.state,
            "DEAD_LETTER": names.dead_letter,
            "JOURNAL_PARTITIONS": "6",
            "DELIVERY_PARTITIONS": "3",
            "REPLICATION": "1",
        },
        "HTTP": {"HOST": HOST, "PORT": str(at.http)},
        "ADMIN": {"HOST": HOST, "PORT": str(at.admin)},
        "LOG": {"FORMAT": "console"},
        "STATE": {"DIRECTORY": str(folder / "state")},
        "DEXATEL": {**account, "BASE_URL": at.providers["dexatel"], "TOKEN": TOKEN, "POLL_PATH": "/dlr/{id}"},
        "SPEEDOCOM": {**account, "BASE_URL": at.providers["speedocom"], "API_KEY": TOKEN, "PARTNER_ID": PARTNER_ID},
    }
    settings = {f"SMS_BRIDGE_{g}__{name}": value for g, members in groups.items() for name, value in members.items()}
    return {name: os.environ[name] for name in INHERITED if name in os.environ} | settings


class BridgeProcess:
    """The running bridge: `async with Service(environment, admin_port, folder) as bridge: await bridge.ready()`.

    However this process ends, SIGKILL included, the bridge ends with it, and the folder is removed.
    """

    def __init__(self, environment: Mapping[str, str], admin_port: int, folder: Path) -> None:
        self._environment = environment
        self.page = f"http://{HOST}:{admin_port}"
        """Where its status page is; probes and metrics, too."""
        self._folder = folder
        self._log = folder / "bridge.log"

    async def __aenter__(self) -> Self:
        self._client = ClientSession(timeout=ClientTimeout(total=2))
        kept = (sys.executable, "-I", "-S", supervisor.__file__, str(self._folder))
        with self._log.open("wb") as log:
            self._process: Process = await asyncio.create_subprocess_exec(
                *(*kept, sys.executable, "-m", "bridge", "run"),
                stdin=PIPE,  # ends when we do, which the keeper sees
                stdout=DEVNULL,
                stderr=log,
                start_new_session=True,  # a terminal's Ctrl-C is meant for us; we then end it
                env=dict(self._environment),
            )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.close()
        with suppress(ProcessLookupError):
            self._process.terminate()
        try:
            await asyncio.wait_for(self._process.wait(), STOP_WITHIN)
        except TimeoutError:
            if self._process.stdin is not None:
                self._process.stdin.close()  # the keeper kills it
            await self._process.wait()

    async def ready(self) -> None:
        """Return when it says that it is ready and has nothing to restore, so that the first message waits no longer.

        Raises:
            SandboxError: It ended, or didn't become ready in time.
        """
        try:
            async with asyncio.timeout(START_WITHIN):
                while not await self._at_work():
                    self._check()
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise self._failed(f"was not ready within {START_WITHIN:g} s") from None

    async def counts(self) -> Mapping[str, int]:
        """What its metrics say: counts by `reports.duplicate`, `callbacks.journaled`, `polls.no_report` and the like.

        Raises:
            SandboxError: It has ended.
        """
        self._check()
        status, text = await self._get("/metrics")
        return _counts(text) if status == HTTPStatus.OK else {}

    async def _at_work(self) -> bool:
        status, text = await self._get("/readyz")
        return status == HTTPStatus.OK and not orjson.loads(text).get("restoring")

    async def _get(self, path: str) -> tuple[int, str]:
        """An answer's status and text; 503 where none comes."""
        try:
            async with self._client.get(self.page + path) as response:
                return response.status, await response.text()
        except (ClientError, TimeoutError, OSError):
            return HTTPStatus.SERVICE_UNAVAILABLE, ""

    def _check(self) -> None:
        code = self._process.returncode
        if code is not None:
            raise self._failed(
                f"was killed by signal {256 - code}" if code > SIGNALLED else f"ended with exit code {code}"
            )

    def _failed(self, what: str) -> SandboxError:
        last = Text.from_ansi(self._log.read_text(errors="replace")).plain.splitlines()[-LAST_LINES:]
        return SandboxError("\n  ".join([f"the bridge {what}; its log ends with:", *(last or ["(nothing)"])]))


def _counts(text: str) -> Mapping[str, int]:
    counted: Counter[str] = Counter()
    for family in text_string_to_metric_families(text):
        name, label = COUNTED.get(family.name, ("", ""))
        for sample in family.samples if name else ():
            if sample.name.endswith("_total"):
                counted[f"{name}.{sample.labels[label]}"] += int(sample.value)
    return counted
