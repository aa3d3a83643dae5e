"""When certificates expire, and whether their files have changed."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from bridge.tls.certificate_files import CertificateFiles, parse_expiry
from tests.support.certificates import AUTHORITY, CERTIFICATE, KEY, MountedSecret, issue


@pytest.mark.parametrize("year", [2026, 2049, 2050, 9999])
@pytest.mark.parametrize("key_type", trustme.KeyType)
def test_expiry_is_that_of_the_certificate(year: int, key_type: trustme.KeyType) -> None:
    """For both forms of a time, as another library reads it."""
    end = datetime(year, 12, 31, 23, 59, 59, tzinfo=UTC)
    start = datetime(2026, 1, 1, tzinfo=UTC)
    leaf = trustme.CA().issue_cert("127.0.0.1", not_before=start, not_after=end, key_type=key_type)
    certificate = x509.load_pem_x509_certificate(leaf.cert_chain_pems[0].bytes())
    assert parse_expiry(certificate.public_bytes(Encoding.DER)) == end.timestamp()


@pytest.mark.parametrize("data", [b"", b"\x30", b"\x30\x03\x02\x01\x01", bytes(200), b"\xff" * 200])
def test_what_is_no_certificate_is_an_error(data: bytes) -> None:
    """Its end is unknown."""
    with pytest.raises(ValueError, match=r"."):
        parse_expiry(data)


def test_a_chain_ends_first_and_authorities_end_last(tmp_path: Path) -> None:
    """A chain needs all its certificates; a file of authorities holds the next one in time."""
    authority = trustme.CA()
    short, long = (issue(authority, lifetime=timedelta(days=days))[CERTIFICATE] for days in (1, 9))
    (tmp_path / "both").write_bytes(short + b"# a comment\n" + long)
    files = CertificateFiles(chains={"A": tmp_path / "both"}, authorities={"B": tmp_path / "both"})
    now = datetime.now(UTC).timestamp()
    assert {name: round((at - now) / 86400) for name, at in files.read_expiry_times().items()} == {"A": 1, "B": 9}
    (tmp_path / "both").write_bytes(b"")
    with pytest.raises(ValueError, match="has no certificate"):
        files.read_expiry_times()


def test_a_replaced_secret_is_a_change(tmp_path: Path) -> None:
    """Whichever of its files differs; a missing file is a change as well."""
    secret, content = MountedSecret(tmp_path / "mounted"), issue(trustme.CA())
    secret.write(content)
    names = {"A": secret.path(CERTIFICATE)}
    files = CertificateFiles(chains=names, authorities={"B": secret.path(AUTHORITY)}, keys=[secret.path(KEY)])
    assert files.settings == ("A", "B")
    assert files.read_versions() == (first := files.read_versions())
    secret.write(content)
    assert files.read_versions() != first
    secret.path(KEY).unlink()
    assert files.read_versions()[-1] is None
