"""A Kafka with authentication and ACLs: users with passwords, certificates, and no access without an ACL."""

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # it means to export them
    AdminClient,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from bridge.sandbox.kafka.broker import Sandbox
from tests.support.kafka import acls
from tests.support.kafka.acls import Right
from tests.support.ports import find_free_ports

USER, PASSWORD = "the-bridge", "only-for-tests-password"


class Guarded(NamedTuple):
    """The cluster. Connections to `bootstrap_servers` are allowed everything."""

    bootstrap_servers: str
    listeners: dict[str, str]
    """Where users log in, by protocol."""
    certificates: Path

    def allow(self, rights: Iterable[Right]) -> None:
        """Create ACLs for the user."""
        acls.allow(self.bootstrap_servers, USER, rights)

    def forbid(self, rights: Iterable[Right]) -> None:
        """Delete ACLs of the user."""
        acls.forbid(self.bootstrap_servers, USER, rights)

    def settings(self, protocol: str, mechanism: str) -> dict[str, str]:
        """Return the bridge's settings for this cluster."""
        settings = {
            "KAFKA__BOOTSTRAP_SERVERS": self.listeners[protocol],
            "KAFKA__SECURITY_PROTOCOL": protocol,
            "KAFKA__SASL_MECHANISM": mechanism,
            "KAFKA__SASL_USERNAME": USER,
            "KAFKA__SASL_PASSWORD": PASSWORD,
        }
        if protocol == "SASL_SSL":
            settings |= {
                "KAFKA__SSL_CAFILE": str(self.certificates / "ca.crt"),
                "KAFKA__SSL_CERTFILE": str(self.certificates / "bridge.crt"),
                "KAFKA__SSL_KEYFILE": str(self.certificates / "bridge.key"),
            }
        return settings


@asynccontextmanager
async def guarded(folder: Path) -> AsyncIterator[Guarded]:
    """Start the cluster. Its certificates are made here with openssl."""
    await asyncio.to_thread(_make_certificates, folder)
    ports = dict(zip(("SASL_PLAINTEXT", "SASL_SSL"), find_free_ports(2), strict=True))
    listeners = {protocol: f"127.0.0.1:{port}" for protocol, port in ports.items()}
    config = {
        "listeners": ",".join(f"{protocol}://{address}" for protocol, address in listeners.items()),
        **acls.CONFIG,
        "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-512",
        "listener.name.sasl_ssl.ssl.keystore.type": "PEM",
        "listener.name.sasl_ssl.ssl.keystore.location": str(folder / "broker.pem"),
        "listener.name.sasl_ssl.ssl.truststore.type": "PEM",
        "listener.name.sasl_ssl.ssl.truststore.location": str(folder / "ca.crt"),
        "listener.name.sasl_ssl.ssl.client.auth": "required",
    }
    login = "org.apache.kafka.common.security.{} required{};"
    for protocol in listeners:
        name = f"listener.name.{protocol.lower()}"
        user = f' user_{USER}="{PASSWORD}"'
        config[f"{name}.plain.sasl.jaas.config"] = login.format("plain.PlainLoginModule", user)
        config[f"{name}.scram-sha-512.sasl.jaas.config"] = login.format("scram.ScramLoginModule", "")
    async with Sandbox(config=config) as kafka:
        await asyncio.to_thread(_make_scram_user, kafka.bootstrap_servers)
        yield Guarded(kafka.bootstrap_servers, listeners, folder)


def _make_scram_user(bootstrap_servers: str) -> None:
    credential = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
    change = UserScramCredentialUpsertion(USER, credential, PASSWORD.encode())
    admin = AdminClient({"bootstrap.servers": bootstrap_servers})
    for done in admin.alter_user_scram_credentials([change]).values():
        done.result(30)


def _make_certificates(folder: Path) -> None:
    """Make a CA and certificates for the broker and the bridge."""
    openssl = shutil.which("openssl")
    if not openssl:
        pytest.skip("no openssl on the PATH")

    def run(*arguments: str) -> None:
        subprocess.run([openssl, *arguments], cwd=folder, check=True, capture_output=True)  # noqa: S603 - a fixed program

    new = ("-newkey", "rsa:2048", "-nodes")
    run("req", "-x509", *new, "-keyout", "ca.key", "-out", "ca.crt", "-subj", "/CN=authority", "-days", "2")
    (folder / "names").write_text("subjectAltName=IP:127.0.0.1\n")
    for name in ("broker", "bridge"):
        run("req", *new, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        signed = ("-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "names")
        run("x509", "-req", "-in", f"{name}.csr", "-out", f"{name}.crt", *signed)
    (folder / "broker.pem").write_text((folder / "broker.key").read_text() + (folder / "broker.crt").read_text())
