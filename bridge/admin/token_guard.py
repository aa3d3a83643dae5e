"""Guards the admin routes: asks for the token, and slows down those who guess."""

import asyncio
import time

import structlog
from prometheus_client import Counter
from pydantic import SecretStr

from bridge.admin.auth import CHALLENGE, Access, decide_access, is_from_other_site
from bridge.http_server.connection_table import name_peer
from bridge.http_server.messages import Request, Response

WRONG_TOKEN_PAUSE = 1.0
"""Seconds that a wrong token's answer takes; until then, its sender's other wrong ones get 429. The right one always
counts: whoever guesses behind the same proxy must not lock out the people on call."""
LOG_INTERVAL = 60.0
"""Seconds between two log lines about wrong tokens."""

log = structlog.get_logger(__name__)


class TokenGuard:
    """Decides who may see the guarded routes.

    Args:
        token: The token; without one, only this machine's requests see them.
        refused: Counts wrong tokens.
    """

    def __init__(self, token: SecretStr | None, refused: Counter) -> None:
        self._token, self._refused = token, refused
        self._paused: set[str] = set()
        self._logged_at = -LOG_INTERVAL
        self._unlogged = 0

    async def check(self, request: Request) -> Response | None:
        """Return the response to a request without access; None for one with access."""
        if request.path.startswith("/api/") and is_from_other_site(request.headers):
            return Response(403, b"other sites' pages have no access")
        access = decide_access(request.client, request.headers, self._token)
        if access is Access.OPEN:
            return None
        if access is Access.HIDDEN:
            return Response(404, b"not found")
        peer = name_peer(request.client)
        if peer in self._paused:
            return Response(429, b"after a wrong token, wait a second", {"retry-after": "1"})
        if access is Access.WRONG:
            await self._pause(peer)
        return Response(401, b"the admin token, please", CHALLENGE)

    async def _pause(self, peer: str) -> None:
        self._refused.inc()
        self._unlogged += 1
        if time.monotonic() - self._logged_at >= LOG_INTERVAL:
            log.warning("wrong admin token", client=peer, times=self._unlogged)
            self._logged_at, self._unlogged = time.monotonic(), 0
        self._paused.add(peer)
        try:
            await asyncio.sleep(WRONG_TOKEN_PAUSE)
        finally:
            self._paused.discard(peer)
