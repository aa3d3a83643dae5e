"""A server that issues signed OAuth tokens."""

import asyncio
import base64
import ssl
import time
from types import TracebackType
from typing import Self
from uuid import uuid4

import orjson
from aiohttp import web
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

CLIENT_ID, CLIENT_SECRET, SCOPE = "the bridge", "a secret/with:odd characters", "kafka:write"
AUDIENCE = "kafka-of-the-tests"
REFUSED = 401, b'{"error":"invalid_client","error_description":"not-to-be-repeated"}'


class TokenServer:
    """Issues tokens to a client with an id and a secret (RFC 6749, section 4.4).

    Args:
        tls: With it, it is reached by TLS.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self.url = ""
        self.lifetime_seconds = 60
        self.issued = 0
        self.requests = 0
        self.reply: tuple[int, bytes] | None = None
        """The status and the body of every answer; None: tokens are issued."""
        self.gate = asyncio.Event()
        """Answers wait for it."""
        self.gate.set()
        self._key = RSAKey.generate_key(2048, {"kid": uuid4().hex, "use": "sig", "alg": "RS256"}, private=True)

    async def __aenter__(self) -> Self:
        scheme = "https" if self._tls else "http"
        app = web.Application()
        app.router.add_post("/token", self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0, handler_cancellation=True)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=self._tls).start()
        self.url = f"{scheme}://127.0.0.1:{self._runner.addresses[0][1]}/token"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._runner.cleanup()

    @property
    def settings(self) -> dict[str, str]:
        """The settings of a client of this server."""
        return {
            "KAFKA__OAUTH__TOKEN_URL": self.url,
            "KAFKA__OAUTH__CLIENT_ID": CLIENT_ID,
            "KAFKA__OAUTH__CLIENT_SECRET": CLIENT_SECRET,
            "KAFKA__OAUTH__SCOPE": SCOPE,
        }

    def issue(self, lifetime_seconds: float) -> str:
        """Return a signed token."""
        self.issued += 1
        now = int(time.time())
        claims = {"sub": CLIENT_ID, "aud": AUDIENCE, "scope": SCOPE, "iat": now, "exp": now + int(lifetime_seconds)}
        return jwt.encode({"alg": "RS256", "kid": self._key.kid}, {**claims, "jti": uuid4().hex}, self._key)

    def public_keys(self) -> bytes:
        """Return the JSON Web Key Set with which tokens are verified."""
        return orjson.dumps(KeySet([self._key]).as_dict(private=False))

    async def _answer(self, request: web.Request) -> web.Response:
        self.requests += 1
        form = await request.post()
        await self.gate.wait()
        if self.reply:
            status, body = self.reply
            return web.Response(status=status, body=body, content_type="application/json")
        # Id and secret are encoded like a form before they become a header (section 2.3.1).
        user = base64.b64encode(b"the+bridge:a+secret%2Fwith%3Aodd+characters").decode()
        if request.headers.get("Authorization") != f"Basic {user}":
            return web.json_response({"error": "invalid_client"}, status=401)
        assert form == {"grant_type": "client_credentials", "scope": SCOPE}
        token = self.issue(self.lifetime_seconds)
        answer = {"access_token": token, "token_type": "bearer", "expires_in": self.lifetime_seconds}
        return web.json_response(answer)
