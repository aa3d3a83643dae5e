"""A Kafka that accepts signed OAuth tokens, and the server that issues them."""

import asyncio
import base64
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self
from uuid import uuid4

import orjson
from aiohttp import web
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

from bridge.sandbox.kafka.broker import Sandbox
from tests.support.ports import find_free_ports

CLIENT_ID, CLIENT_SECRET, SCOPE = "the bridge", "a secret/with:odd characters", "kafka:write"
AUDIENCE = "kafka-of-the-tests"
HANDLER = "org.apache.kafka.common.security.oauthbearer.OAuthBearerValidatorCallbackHandler"
LOGIN = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required;"
MAX_REAUTH_MS = 3_600_000
"""With it, the broker ends each connection when its token expires."""


class TokenServer:
    """Issues tokens to a client with an id and a secret (RFC 6749, section 4.4)."""

    def __init__(self) -> None:
        self.url = ""
        self.lifetime_seconds = 60
        self.issued = 0
        self.requests = 0
        self.answer: web.Response | None = None
        """What every request gets instead of a token."""
        self.gate = asyncio.Event()
        """Answers wait for it."""
        self.gate.set()
        self._key = RSAKey.generate_key(2048, {"kid": uuid4().hex, "use": "sig", "alg": "RS256"}, private=True)

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_post("/token", self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0, handler_cancellation=True)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/token"
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
        if self.answer is not None:
            return self.answer
        # Id and secret are encoded like a form before they become a header (section 2.3.1).
        user = base64.b64encode(b"the+bridge:a+secret%2Fwith%3Aodd+characters").decode()
        if request.headers.get("Authorization") != f"Basic {user}":
            return web.json_response({"error": "invalid_client"}, status=401)
        assert form == {"grant_type": "client_credentials", "scope": SCOPE}
        token = self.issue(self.lifetime_seconds)
        answer = {"access_token": token, "token_type": "bearer", "expires_in": self.lifetime_seconds}
        return web.json_response(answer)


class OAuthKafka(NamedTuple):
    """The cluster. Connections to `bootstrap_servers` need no token."""

    bootstrap_servers: str
    settings: Mapping[str, str]
    """The bridge's settings for the listener that needs tokens."""
    server: TokenServer


@asynccontextmanager
async def oauth_kafka(folder: Path) -> AsyncIterator[OAuthKafka]:
    """Start a Kafka that verifies the signature, the audience and the life of tokens, and the server that issues them.

    Args:
        folder: For the keys.
    """
    (port,) = find_free_ports(1)
    keys = folder / "keys.json"
    listener = "listener.name.sasl_plaintext"
    config = {
        "listeners": f"SASL_PLAINTEXT://127.0.0.1:{port}",
        "sasl.enabled.mechanisms": "OAUTHBEARER",
        f"{listener}.oauthbearer.sasl.jaas.config": LOGIN,
        f"{listener}.oauthbearer.sasl.server.callback.handler.class": HANDLER,
        f"{listener}.oauthbearer.connections.max.reauth.ms": str(MAX_REAUTH_MS),
        f"{listener}.sasl.oauthbearer.jwks.endpoint.url": keys.as_uri(),
        f"{listener}.sasl.oauthbearer.expected.audience": AUDIENCE,
        f"{listener}.sasl.oauthbearer.clock.skew.seconds": "0",
    }
    async with TokenServer() as server:
        await asyncio.to_thread(keys.write_bytes, server.public_keys())
        allowed = f"-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls={keys.as_uri()}"
        async with Sandbox(config=config, jvm=(allowed,)) as kafka:
            settings = {
                "KAFKA__BOOTSTRAP_SERVERS": f"127.0.0.1:{port}",
                "KAFKA__SECURITY_PROTOCOL": "SASL_PLAINTEXT",
                "KAFKA__SASL_MECHANISM": "OAUTHBEARER",
            }
            yield OAuthKafka(kafka.bootstrap_servers, settings, server)
