"""A Kafka that requires a client certificate, and ends its connections every few seconds."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import trustme

from bridge.sandbox.kafka.broker import Sandbox
from tests.support.certificates import AUTHORITY, CERTIFICATE, KEY, MountedSecret, issue
from tests.support.ports import find_free_ports

USER, PASSWORD = "the-bridge", "only-for-tests-password"
SESSION_MS = 2_000
"""Kafka ends only connections with a user name, so there is one."""


class MutualTlsKafka(NamedTuple):
    """The cluster. Connections to `bootstrap_servers` need no certificate."""

    bootstrap_servers: str
    authority: trustme.CA
    """The authority of the broker and of its clients."""
    server: str
    """The address that requires a certificate."""

    def settings(self, secret: MountedSecret) -> Mapping[str, str]:
        """Return the settings of a client with these certificates."""
        return {
            "KAFKA__BOOTSTRAP_SERVERS": self.server,
            "KAFKA__SECURITY_PROTOCOL": "SASL_SSL",
            "KAFKA__SASL_USERNAME": USER,
            "KAFKA__SASL_PASSWORD": PASSWORD,
            "KAFKA__SSL_CAFILE": str(secret.path(AUTHORITY)),
            "KAFKA__SSL_CERTFILE": str(secret.path(CERTIFICATE)),
            "KAFKA__SSL_KEYFILE": str(secret.path(KEY)),
        }


@asynccontextmanager
async def mutual_tls_kafka(folder: Path) -> AsyncIterator[MutualTlsKafka]:
    """Start it.

    Args:
        folder: For the broker's certificate.
    """
    authority = trustme.CA()
    files = issue(authority)
    (folder / "broker.pem").write_bytes(files[KEY] + files[CERTIFICATE])
    (folder / AUTHORITY).write_bytes(files[AUTHORITY])
    (port,) = find_free_ports(1)
    listener, login = "listener.name.sasl_ssl", "org.apache.kafka.common.security.plain.PlainLoginModule required"
    config = {
        "listeners": f"SASL_SSL://127.0.0.1:{port}",
        "sasl.enabled.mechanisms": "PLAIN",
        f"{listener}.plain.sasl.jaas.config": f'{login} user_{USER}="{PASSWORD}";',
        f"{listener}.plain.connections.max.reauth.ms": str(SESSION_MS),
        f"{listener}.ssl.keystore.type": "PEM",
        f"{listener}.ssl.keystore.location": str(folder / "broker.pem"),
        f"{listener}.ssl.truststore.type": "PEM",
        f"{listener}.ssl.truststore.location": str(folder / AUTHORITY),
        f"{listener}.ssl.client.auth": "required",
    }
    async with Sandbox(config=config) as kafka:
        yield MutualTlsKafka(kafka.bootstrap_servers, authority, f"127.0.0.1:{port}")
