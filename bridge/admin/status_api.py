"""The status page's routes about this process: its static files, its status and live events."""

from collections.abc import Awaitable, Callable, Mapping

from bridge.admin.event_stream import EventStream
from bridge.admin.page_responses import SECURITY_HEADERS, make_json, read_static_file
from bridge.admin.status_report import make_report
from bridge.admin.status_snapshot import StatusCollector
from bridge.http_server.messages import Request, Response

SCRIPTS = ("page", "dead_letters", "elements", "events", "keys", "search", "status", "story")

STATIC_FILES: Mapping[str, tuple[str, str]] = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    **{f"/{name}.js": (f"{name}.js", "text/javascript; charset=utf-8") for name in SCRIPTS},
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}


class StatusApi:
    """Answers for the status page.

    Args:
        collector: Looks at the process.
        events: Live events.
        runbooks: The URL under which the runbooks are published.
    """

    def __init__(self, collector: StatusCollector, events: EventStream, runbooks: str) -> None:
        self._collector, self._events, self._runbooks = collector, events, runbooks
        self._files = {path: read_static_file(*file) for path, file in STATIC_FILES.items()}
        self.routes: Mapping[str, Callable[[Request], Awaitable[Response]]] = {
            **dict.fromkeys(STATIC_FILES, self._serve_file),
            "/api/status": self._serve_status,
            "/api/events": self._serve_events,
        }

    async def _serve_file(self, request: Request) -> Response:
        return self._files[request.path]

    async def _serve_status(self, _request: Request) -> Response:
        return make_json(make_report(await self._collector.collect(), self._runbooks))

    async def _serve_events(self, request: Request) -> Response:
        headers = {**SECURITY_HEADERS, "content-type": "text/event-stream", "x-accel-buffering": "no"}
        if request.method == "HEAD":
            return Response(200, b"", headers)
        return Response(200, b"", headers, self._events.watch(request.headers.get("last-event-id")))
