"""Probes and metrics, on their own port, not for the internet."""

from collections.abc import Callable, Mapping

import orjson
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

from bridge.http import Request, Response

Health = Callable[[], Mapping[str, bool]]
"""Each part of the process that readiness depends on, and whether it is ready."""


class Admin:
    """Handles the requests of the admin listener."""

    def __init__(
        self, registry: CollectorRegistry, health: Health, details: Callable[[], Mapping[str, object]]
    ) -> None:
        self._registry, self._health, self._details = registry, health, details
        self._routes: Mapping[str, Callable[[], Response]] = {
            "/livez": lambda: Response(200, b"alive\n", {"content-type": "text/plain"}),
            "/readyz": self._readiness,
            "/metrics": self._metrics,
        }

    async def handle(self, request: Request) -> Response:
        """Answer one request."""
        route = self._routes.get(request.path)
        if route is None:
            return Response(404, b"not found")
        if request.method not in {"GET", "HEAD"}:
            return Response(405, b"method not allowed", {"allow": "GET, HEAD"})
        return route()

    def _readiness(self) -> Response:
        parts = self._health()
        ready = all(parts.values())
        body = orjson.dumps({"ready": ready, "parts": parts, **self._details()})
        return Response(200 if ready else 503, body, {"content-type": "application/json"})

    def _metrics(self) -> Response:
        return Response(200, generate_latest(self._registry), {"content-type": CONTENT_TYPE_PLAIN_0_0_4})
