"""The admin listener's routes: probes and metrics for everybody, the status page for those who may see it.

On its own port, not for the internet.
"""

import time
from collections.abc import Awaitable, Callable, Mapping

import orjson
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

from bridge.admin.token_guard import TokenGuard
from bridge.http_server.messages import Request, Response
from bridge.observability.readiness import Readiness
from bridge.state.ownership import OwnedPartitions

METRICS_SHARE = 0.1
"""The part of the time that making metrics may take, however many ask for them: the same are served until then."""
METRICS_CREDIT = 10.0
"""Seconds of which that part can be saved up, so that whoever asks now and then always gets the latest."""

Routes = Mapping[str, Callable[[Request], Awaitable[Response]]]


class Admin:
    """Handles the requests of the admin listener.

    Args:
        registry: The metrics.
        readiness: Whether the process is ready.
        owned: The partitions of this process, if it tracks: the readiness probe shows those that are being restored.
        guarded: Routes that need access.
        guard: Decides who has it.
    """

    def __init__(
        self,
        registry: CollectorRegistry,
        readiness: Readiness,
        owned: OwnedPartitions | None,
        guarded: Routes,
        guard: TokenGuard,
    ) -> None:
        self._registry, self._readiness, self._owned, self._guard = registry, readiness, owned, guard
        self._served_metrics, self._served_until = b"", 0.0
        self._open: Mapping[str, Callable[[], Response]] = {
            "/livez": lambda: Response(200, b"alive\n", {"content-type": "text/plain"}),
            "/readyz": self._serve_readiness,
            "/metrics": self._serve_metrics,
        }
        self._guarded = guarded

    async def handle(self, request: Request) -> Response:
        """Answer one request."""
        route, guarded = self._open.get(request.path), self._guarded.get(request.path)
        if guarded and (refused := await self._guard.check(request)):
            return refused
        if route is None and guarded is None:
            return Response(404, b"not found")
        if request.method not in {"GET", "HEAD"}:
            return Response(405, b"method not allowed", {"allow": "GET, HEAD"})
        return await guarded(request) if guarded else route()  # type: ignore[misc]  # one of them is there

    def _serve_readiness(self) -> Response:
        parts = self._readiness.check()
        ready = all(parts.values())
        details = {} if self._owned is None else {"restoring": [one.number for one in self._owned if not one.restored]}
        body = orjson.dumps({"ready": ready, "parts": parts, **details})
        return Response(200 if ready else 503, body, {"content-type": "application/json"})

    def _serve_metrics(self) -> Response:
        began = time.monotonic()
        if began >= self._served_until:
            self._served_metrics = generate_latest(self._registry)
            cost = (time.monotonic() - began) / METRICS_SHARE
            self._served_until = max(self._served_until, began - METRICS_CREDIT) + cost
        return Response(200, self._served_metrics, {"content-type": CONTENT_TYPE_PLAIN_0_0_4})
