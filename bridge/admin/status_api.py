"""The page's routes: its three files, and the JSON behind them. What is shown is decided in `status.py`."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any, Protocol
from urllib.parse import parse_qs

import structlog
from aiokafka.errors import KafkaError

from bridge import __version__
from bridge.accounts import Accounts
from bridge.admin.event_stream import EventStream
from bridge.admin.pending_ages import PendingAges
from bridge.admin.rates import RateHistory, read_values
from bridge.admin.status_report import AccountStatus, PartitionStatus, PartStatus, StatusSnapshot, make_report
from bridge.core.errors import ConfigurationError
from bridge.http_server import Request, Response
from bridge.kafka.clients import format_error
from bridge.observability import logs
from bridge.observability.metrics import Metrics
from bridge.state.partition import PartitionStore
from bridge.text import encode_document

SAFE: Mapping[str, str] = {
    "content-security-policy": "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}
"""Headers of every answer: nothing from elsewhere, nothing inline, nothing kept."""

FILES: Mapping[str, tuple[str, str]] = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}

LONGEST_ID = 300
"""Characters of what is searched for: an id with its provider and account."""

SEARCH_WITHIN = 30.0
"""Seconds; the command line has longer."""

Look = Callable[[str], Awaitable[Any]]
"""Finds a message's story, as a JSON document."""

log = structlog.get_logger(__name__)


class Worker(Protocol):
    """A partition's owner, as it is seen from here."""

    number: int
    restored: bool
    caught_up: bool
    attempts: PartitionStore


class StatusApi:
    """What the process tells about itself.

    Args:
        metrics: Its numbers.
        accounts: Its accounts.
        roles: What it does.
        parts: By name, what readiness depends on, and what it means when it isn't there.
        feed: Live events.
        look: Finds stories.
        partitions: How many journal partitions there are.
    """

    def __init__(
        self,
        metrics: Metrics,
        accounts: Accounts,
        roles: Iterable[str],
        parts: Mapping[str, tuple[Callable[[], bool], str]],
        *,
        feed: EventStream,
        look: Look,
        partitions: int,
    ) -> None:
        self._metrics, self._accounts, self._roles = metrics, accounts, frozenset(roles)
        self._parts, self._feed, self._look, self._partitions = parts, feed, look, partitions
        self._started, self._started_at = time.monotonic(), datetime.now(UTC)
        self._since: dict[str, tuple[bool, float]] = {}
        self._searching = asyncio.Lock()
        providers = (account.provider for account in accounts.values())
        self.pending = PendingAges(self._owners, providers, metrics.attempts_pending)
        self._files = {path: _file(*file) for path, file in FILES.items()}
        self.workers: Callable[[], Iterable[Worker]] = tuple
        """The partitions that this process owns now; whoever tracks sets it."""
        self.samples = RateHistory(metrics, self._observe)
        self.routes: Mapping[str, Callable[[Request], Awaitable[Response]]] = {
            **dict.fromkeys(FILES, self._static),
            "/api/status": self._status,
            "/api/events": self._events,
            "/api/messages": self._messages,
        }

    def _owners(self) -> Iterable[Worker]:
        return self.workers()

    async def _static(self, request: Request) -> Response:
        return self._files[request.path]

    async def _status(self, _request: Request) -> Response:
        return _json(make_report(await self._picture()))

    async def _events(self, request: Request) -> Response:
        headers = {**SAFE, "content-type": "text/event-stream", "x-accel-buffering": "no"}
        if request.method == "HEAD":
            return Response(200, b"", headers)
        stream = self._feed.watch(request.headers.get("last-event-id"))
        if stream is None:
            return _json({"error": "too many watch already"}, 503)
        return Response(200, b"", headers, stream)

    async def _messages(self, request: Request) -> Response:
        name = parse_qs(request.query).get("id", [""])[0].strip()
        if not name or len(name) > LONGEST_ID:
            return _json({"error": "say whose story: ?id=MESSAGE_ID or ?id=PROVIDER:[ACCOUNT:]ID"}, 400)
        try:
            # One at a time: it is the service's own processor that reads.
            async with asyncio.timeout(SEARCH_WITHIN), self._searching:
                return _json(await self._look(name))
        except TimeoutError:
            return _json({"error": f"not found within {SEARCH_WITHIN:.0f} s; `sms-bridge trace` has longer"}, 504)
        except ConfigurationError as error:
            return _json({"error": f"the topics can't be read: {error}"}, 503)
        except (KafkaError, OSError) as error:
            return _json({"error": f"the topics can't be read: {format_error(error)}"}, 503)

    def _observe(self) -> None:
        """Remember since when each part is ready, or isn't."""
        for name, (check, _) in self._parts.items():
            ready = check()
            if self._since.get(name, (None, 0.0))[0] is not ready:
                self._since[name] = (ready, time.monotonic())

    async def _picture(self) -> StatusSnapshot:
        ages = await self.pending.ages()
        self._observe()
        metrics, now = self._metrics, time.monotonic()
        return StatusSnapshot(
            identity={
                "version": __version__,
                "roles": sorted(self._roles),
                "at": datetime.now(UTC).isoformat(timespec="seconds"),
                "started_at": self._started_at.isoformat(timespec="seconds"),
                "uptime_seconds": round(now - self._started),
            },
            tracks="track" in self._roles,
            polls="poll" in self._roles,
            receives="receive" in self._roles,
            parts=[
                PartStatus(name, self._since[name][0], round(now - self._since[name][1], 1), why)
                for name, (_, why) in self._parts.items()
            ],
            partitions=self._own_partitions(),
            partitions_in_all=self._partitions,
            restore_remaining=int(read_values(metrics.restore_entries_remaining)[()]),
            accounts=[
                AccountStatus(account.provider, account.name, bool(account.poll_ages), bool(account.secrets))
                for account in self._accounts.values()
            ],
            samples=self.samples.all(),
            circuits=read_values(metrics.circuit_open),
            credentials=read_values(metrics.credentials_refused),
            polls_due=read_values(metrics.polls_due),
            ages=ages.counts,
            loop_delay=read_values(metrics.event_loop_delay)[()],
            notices=logs.recent_notices(),
        )

    def _own_partitions(self) -> list[PartitionStatus]:
        entries, seconds = (
            read_values(self._metrics.journal_lag_entries),
            read_values(self._metrics.journal_lag_seconds),
        )
        return [
            PartitionStatus(
                worker.number,
                _state(worker),
                int(entries.get((str(worker.number),), 0)),
                round(seconds.get((str(worker.number),), 0.0), 1),
                worker.attempts.followed.total(),
                worker.attempts.parked,
            )
            for worker in sorted(self.workers(), key=lambda worker: worker.number)
        ]


def _state(worker: Worker) -> str:
    if not worker.restored:
        return "restoring"
    return "level" if worker.caught_up else "catching up"


def _json(body: Any, status: int = 200) -> Response:
    return Response(status, encode_document(body), {**SAFE, "content-type": "application/json"})


def _file(name: str, kind: str) -> Response:
    return Response(200, (files("bridge.admin") / "static" / name).read_bytes(), {**SAFE, "content-type": kind})
