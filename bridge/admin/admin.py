"""The admin listener's routes: probes and metrics for everybody, the status page for whoever may see it.

On its own port, not for the internet.
"""

from collections.abc import Awaitable, Callable, Mapping

import orjson
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from pydantic import SecretStr

from bridge.admin.auth import decide_access, refuse
from bridge.http_server import Request, Response

Health = Callable[[], Mapping[str, bool]]
"""Each part of the process that readiness depends on, and whether it is ready."""

Routes = Mapping[str, Callable[[Request], Awaitable[Response]]]


class Admin:
    """Handles the requests of the admin listener.

    Args:
        registry: The metrics.
        health: Whether the process is ready.
        details: What the readiness probe tells beside.
        page: Routes that are guarded.
        token: What opens them from another machine; without one they aren't there for it.
    """

    def __init__(
        self,
        registry: CollectorRegistry,
        health: Health,
        details: Callable[[], Mapping[str, object]],
        page: Routes,
        token: SecretStr | None,
    ) -> None:
        self._registry, self._health, self._details, self._token = registry, health, details, token
        self._open: Mapping[str, Callable[[], Response]] = {
            "/livez": lambda: Response(200, b"alive\n", {"content-type": "text/plain"}),
            "/readyz": self._readiness,
            "/metrics": self._metrics,
        }
        self._guarded = page

    async def handle(self, request: Request) -> Response:
        """Answer one request."""
        route, guarded = self._open.get(request.path), self._guarded.get(request.path)
        refused = refuse(decide_access(request.client, request.headers, self._token)) if guarded else None
        if refused:
            return refused
        if route is None and guarded is None:
            return Response(404, b"not found")
        if request.method not in {"GET", "HEAD"}:
            return Response(405, b"method not allowed", {"allow": "GET, HEAD"})
        return await guarded(request) if guarded else route()  # type: ignore[misc]  # one of them is there

    def _readiness(self) -> Response:
        parts = self._health()
        ready = all(parts.values())
        body = orjson.dumps({"ready": ready, "parts": parts, **self._details()})
        return Response(200 if ready else 503, body, {"content-type": "application/json"})

    def _metrics(self) -> Response:
        return Response(200, generate_latest(self._registry), {"content-type": CONTENT_TYPE_PLAIN_0_0_4})
