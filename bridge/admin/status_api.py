"""The status page's routes: its static files, and the JSON behind them. What they show is made elsewhere."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from importlib.resources import files
from typing import Any
from urllib.parse import parse_qs

from aiokafka.errors import KafkaError

from bridge.admin.event_stream import EventStream
from bridge.admin.status_report import make_report
from bridge.admin.status_snapshot import StatusCollector
from bridge.core.errors import ConfigurationError
from bridge.http_server.messages import Request, Response
from bridge.kafka.errors import format_error
from bridge.text import encode_document

SECURITY_HEADERS: Mapping[str, str] = {
    "content-security-policy": "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
"""Headers of every answer: nothing from elsewhere, nothing inline, nothing kept."""

STATIC_FILES: Mapping[str, tuple[str, str]] = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}

MAX_QUERY_CHARS = 300
"""Of what is searched for: an id with its provider and account."""

SEARCH_TIMEOUT = 30.0
"""Seconds; the command line has longer."""

LookUp = Callable[[str], Awaitable[Any]]
"""Finds what happened to a message, as a JSON document."""


class StatusApi:
    """Answers for the status page.

    Args:
        collector: Looks at the process.
        events: Live events.
        look_up: Finds what happened to a message.
    """

    def __init__(self, collector: StatusCollector, events: EventStream, look_up: LookUp) -> None:
        self._collector, self._events, self._look_up = collector, events, look_up
        self._searching = asyncio.Lock()
        self._files = {path: _read_file(*file) for path, file in STATIC_FILES.items()}
        self.routes: Mapping[str, Callable[[Request], Awaitable[Response]]] = {
            **dict.fromkeys(STATIC_FILES, self._serve_file),
            "/api/status": self._serve_status,
            "/api/events": self._serve_events,
            "/api/messages": self._serve_message,
        }

    async def _serve_file(self, request: Request) -> Response:
        return self._files[request.path]

    async def _serve_status(self, _request: Request) -> Response:
        return _make_json(make_report(await self._collector.collect()))

    async def _serve_events(self, request: Request) -> Response:
        headers = {**SECURITY_HEADERS, "content-type": "text/event-stream", "x-accel-buffering": "no"}
        if request.method == "HEAD":
            return Response(200, b"", headers)
        return Response(200, b"", headers, self._events.watch(request.headers.get("last-event-id")))

    async def _serve_message(self, request: Request) -> Response:
        name = parse_qs(request.query).get("id", [""])[0].strip()
        if not name or len(name) > MAX_QUERY_CHARS:
            return _make_json({"error": "name a message: ?id=MESSAGE_ID or ?id=PROVIDER:[ACCOUNT:]ID"}, 400)
        try:
            # One at a time: the search takes the service's own CPU.
            async with asyncio.timeout(SEARCH_TIMEOUT), self._searching:
                return _make_json(await self._look_up(name))
        except TimeoutError:
            return _make_json({"error": f"not found within {SEARCH_TIMEOUT:.0f} s; `sms-bridge trace` has longer"}, 504)
        except ConfigurationError as error:
            return _make_json({"error": f"the topics can't be read: {error}"}, 503)
        except (KafkaError, OSError) as error:
            return _make_json({"error": f"the topics can't be read: {format_error(error)}"}, 503)


def _make_json(body: Any, status: int = 200) -> Response:
    return Response(status, encode_document(body), {**SECURITY_HEADERS, "content-type": "application/json"})


def _read_file(name: str, content_type: str) -> Response:
    body = (files("bridge.admin") / "static" / name).read_bytes()
    return Response(200, body, {**SECURITY_HEADERS, "content-type": content_type})
