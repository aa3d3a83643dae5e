"""The PEM files of one TLS client or server: whether they have changed, and when their certificates expire.

A certificate's end is read from its DER structure (RFC 5280, section 4.1), for which Python's standard library has no
function. Whether a certificate is valid is decided by the TLS library alone.
"""

import re
import ssl
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType

_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_VERSION = 0xA0
"""Tag of the version, the only optional element before the validity."""
_UTC_TIME = 0x17
"""Tag of a time whose year has two digits; the other one has four."""
_LONG_LENGTH = 0x80
_FIRST_YEAR = "50"
"""A two-digit year is in the 20th century from here on (section 4.1.2.5.1)."""

FileVersion = tuple[int, int, int]
"""Inode, time of the last change in nanoseconds, and size. A Kubernetes secret changes by other files: the inode."""


class CertificateFiles:
    """Files that are used together.

    Args:
        chains: Files of a certificate and its issuers, by the name of their setting.
        authorities: Files of trusted certificates, by the name of their setting.
        keys: Files of private keys.
    """

    def __init__(
        self,
        *,
        chains: Mapping[str, Path] = MappingProxyType({}),
        authorities: Mapping[str, Path] = MappingProxyType({}),
        keys: Sequence[Path] = (),
    ) -> None:
        self._chains, self._authorities = chains, authorities
        self._paths = (*chains.values(), *authorities.values(), *keys)

    def __bool__(self) -> bool:
        return bool(self._paths)

    @property
    def settings(self) -> tuple[str, ...]:
        """The settings that name certificates."""
        return (*self._chains, *self._authorities)

    def read_versions(self) -> tuple[FileVersion | None, ...]:
        """Return what differs when a file has changed; None for a file that can't be found."""
        return tuple(map(_read_version, self._paths))

    def read_expiry_times(self) -> dict[str, float]:
        """Read when the certificates expire, as Unix timestamps, by the name of the setting.

        A chain ends with its first certificate; of several authorities the last one counts, because a file holds the
        previous and the next one while they are changed.

        Raises:
            OSError: A file can't be read.
            ValueError: A file has no certificate.
        """
        chains = {name: min(_read_ends(path)) for name, path in self._chains.items()}
        return chains | {name: max(_read_ends(path)) for name, path in self._authorities.items()}


def _read_version(path: Path) -> FileVersion | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def _read_ends(path: Path) -> list[float]:
    ends = [parse_expiry(ssl.PEM_cert_to_DER_cert(pem.decode())) for pem in _CERTIFICATE.findall(path.read_bytes())]
    if not ends:
        raise ValueError(f"{path} has no certificate")
    return ends


def parse_expiry(certificate: bytes) -> float:
    """Return a certificate's not-after time as a Unix timestamp.

    Raises:
        ValueError: It isn't a certificate in DER.
    """
    try:
        _, at, _ = _open_element(certificate, 0)
        _, at, _ = _open_element(certificate, at)
        tag, _, end = _open_element(certificate, at)
        at = end if tag == _VERSION else at
        for _ in ("serial number", "signature algorithm", "issuer"):
            _, _, at = _open_element(certificate, at)
        _, at, _ = _open_element(certificate, at)
        _, _, at = _open_element(certificate, at)  # not before
        tag, start, end = _open_element(certificate, at)
    except IndexError:
        raise ValueError("not a certificate") from None
    text = certificate[start:end].decode("ascii")
    if tag == _UTC_TIME:
        text = ("19" if text[:2] >= _FIRST_YEAR else "20") + text
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC).timestamp()


def _open_element(der: bytes, at: int) -> tuple[int, int, int]:
    """Return the tag of the element at a position, and where its contents begin and end."""
    tag, length, start = der[at], der[at + 1], at + 2
    if length & _LONG_LENGTH:
        digits = length & ~_LONG_LENGTH
        length, start = int.from_bytes(der[start : start + digits], "big"), start + digits
    return tag, start, start + length
