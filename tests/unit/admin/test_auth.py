"""Access to the status page."""

from base64 import b64encode

import pytest
from pydantic import SecretStr

from bridge.admin.auth import Access, decide_access, is_from_other_site

TOKEN = SecretStr("the-admin-token-0123456789")


class Lines(dict[str, str]):
    """A request's headers."""

    def get_all(self, key: str) -> list[str]:
        """Return every line of a header."""
        return [self[key]] if key in self else []


def basic(password: str, user: str = "anybody") -> str:
    """Return a browser's Authorization header."""
    return "Basic " + b64encode(f"{user}:{password}".encode()).decode()


@pytest.mark.parametrize("client", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])
@pytest.mark.parametrize("host", ["localhost:9090", "127.0.0.1:9090", "[::1]:9090", "localhost", "[::1]"])
def test_local_access_is_open(client: str, host: str) -> None:
    """`kubectl port-forward` needs no token, unless one is set: a sidecar that forwards looks the same."""
    assert decide_access(client, Lines(host=host), None) is Access.OPEN
    assert decide_access(client, Lines(host=host), TOKEN) is Access.ASKED
    given = Lines(host=host, authorization=f"Bearer {TOKEN.get_secret_value()}")
    assert decide_access(client, given, TOKEN) is Access.OPEN


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "bridge.example.com"},
        {"host": "localhost.example.com:9090"},
        {"host": "192.0.2.7:9090"},
        {},
        {"host": "localhost", "x-forwarded-for": "198.51.100.1"},
        {"host": "localhost", "forwarded": "for=198.51.100.1"},
        {"host": "localhost", "x-real-ip": "198.51.100.1"},
        {"host": "localhost", "x-forwarded-for": ""},
        {"host": "localhost", "via": "1.1 proxy"},
    ],
)
def test_proxy_or_rebound_name_is_not_local(headers: dict[str, str]) -> None:
    """A loopback peer with another host name or a forwarding header needs the token."""
    assert decide_access("127.0.0.1", Lines(headers), None) is Access.HIDDEN
    assert decide_access("127.0.0.1", Lines(headers), TOKEN) is Access.ASKED


@pytest.mark.parametrize("client", ["192.0.2.7", "::ffff:192.0.2.7", "2001:db8::1", "", "nonsense"])
def test_remote_access_needs_the_token(client: str) -> None:
    """As a bearer token or as the password of any user; without a token set there is no access."""
    host = {"host": "localhost:9090"}
    assert decide_access(client, Lines(host), None) is Access.HIDDEN
    assert decide_access(client, Lines(host), SecretStr("")) is Access.HIDDEN
    token = TOKEN.get_secret_value()
    for right in (f"Bearer {token}", f"bearer {token}", basic(token), basic(token, "")):
        assert decide_access(client, Lines(host, authorization=right), TOKEN) is Access.OPEN
    for none in ("", "Bearer", basic(""), "Basic ???", f"Digest {token}"):
        assert decide_access(client, Lines(host, authorization=none), TOKEN) is Access.ASKED
    for wrong in ("Bearer x", "Bearer \udcff", f"Bearer {token}x", basic("x"), basic(f"{token}x")):
        assert decide_access(client, Lines(host, authorization=wrong), TOKEN) is Access.WRONG
        assert decide_access(client, Lines(host, authorization=wrong), None) is Access.HIDDEN


@pytest.mark.parametrize(
    ("site", "other"), [("cross-site", True), ("same-site", True), ("same-origin", False), ("none", False)]
)
def test_requests_of_other_sites_pages_are_known(site: str, other: bool) -> None:  # noqa: FBT001
    """Browsers say where a request comes from; other clients say nothing."""
    assert is_from_other_site(Lines({"sec-fetch-site": site})) is other
    assert not is_from_other_site(Lines())
