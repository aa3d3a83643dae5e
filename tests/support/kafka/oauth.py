"""A Kafka that accepts signed OAuth tokens."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from bridge.sandbox.kafka.broker import Sandbox
from tests.support.kafka.token_server import AUDIENCE, TokenServer
from tests.support.ports import find_free_ports

HANDLER = "org.apache.kafka.common.security.oauthbearer.OAuthBearerValidatorCallbackHandler"
LOGIN = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required;"
MAX_REAUTH_MS = 3_600_000
"""With it, the broker ends each connection when its token expires."""


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
    config = {
        "listeners": f"SASL_PLAINTEXT://127.0.0.1:{port}",
        "sasl.enabled.mechanisms": "OAUTHBEARER",
        **format_listener("sasl_plaintext", keys),
    }
    async with TokenServer() as server:
        await asyncio.to_thread(keys.write_bytes, server.public_keys())
        async with Sandbox(config=config, jvm=(allow_keys(keys),)) as kafka:
            settings = {
                "KAFKA__BOOTSTRAP_SERVERS": f"127.0.0.1:{port}",
                "KAFKA__SECURITY_PROTOCOL": "SASL_PLAINTEXT",
                "KAFKA__SASL_MECHANISM": "OAUTHBEARER",
            }
            yield OAuthKafka(kafka.bootstrap_servers, settings, server)


def format_listener(name: str, keys: Path) -> dict[str, str]:
    """Return the settings of a broker's listener that accepts tokens.

    Args:
        name: The listener's, in lower case.
        keys: The file with the keys that verify tokens.
    """
    listener = f"listener.name.{name}"
    return {
        f"{listener}.oauthbearer.sasl.jaas.config": LOGIN,
        f"{listener}.oauthbearer.sasl.server.callback.handler.class": HANDLER,
        f"{listener}.oauthbearer.connections.max.reauth.ms": str(MAX_REAUTH_MS),
        f"{listener}.sasl.oauthbearer.jwks.endpoint.url": keys.as_uri(),
        f"{listener}.sasl.oauthbearer.expected.audience": AUDIENCE,
        f"{listener}.sasl.oauthbearer.clock.skew.seconds": "0",
    }


def allow_keys(keys: Path) -> str:
    """Return the option of a broker's JVM that lets it read the keys."""
    return f"-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls={keys.as_uri()}"
