"""Certificates in a folder that changes like a mounted Kubernetes secret."""

import itertools
import os
import ssl
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

CERTIFICATE, KEY, AUTHORITY = "tls.crt", "tls.key", "ca.crt"


class MountedSecret:
    """Its files are links into a folder that is replaced as a whole.

    Args:
        folder: Where it is mounted.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._versions = itertools.count()
        folder.mkdir(parents=True, exist_ok=True)

    def write(self, files: Mapping[str, bytes]) -> None:
        """Replace all files at once, and remove the previous ones."""
        data = self._folder / "..data"
        previous = data.resolve() if data.exists() else None
        version = self._folder / f"..{next(self._versions)}"
        version.mkdir()
        for name, content in files.items():
            (version / name).write_bytes(content)
            if not (self._folder / name).is_symlink():
                (self._folder / name).symlink_to(Path("..data", name))
        link = self._folder / "..data_tmp"
        link.symlink_to(version.name)
        os.replace(link, data)  # noqa: PTH105 - the word says that it is atomic
        for old in previous.iterdir() if previous else ():
            old.unlink()

    def path(self, name: str) -> Path:
        """Return the path of a file."""
        return self._folder / name


def issue(authority: trustme.CA, *, lifetime: timedelta = timedelta(days=30)) -> dict[str, bytes]:
    """Return the files of a new certificate for 127.0.0.1, its key and its authority."""
    now = datetime.now(UTC)
    leaf = authority.issue_cert("127.0.0.1", not_before=now - timedelta(hours=1), not_after=now + lifetime)
    key = load_pem_private_key(leaf.private_key_pem.bytes(), None)
    return {
        CERTIFICATE: b"".join(blob.bytes() for blob in leaf.cert_chain_pems),
        # Kafka's brokers read no other form of a key.
        KEY: key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        AUTHORITY: authority.cert_pem.bytes(),
    }


def trust(*authorities: trustme.CA) -> ssl.SSLContext:
    """Return a client's context that trusts these authorities alone."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for authority in authorities:
        authority.configure_trust(context)
    return context
