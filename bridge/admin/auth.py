"""Access to more than probes and metrics: with the token, or without one set from this machine alone. Pure."""

import hmac
from base64 import b64decode
from binascii import Error as Garbled
from collections.abc import Mapping
from enum import Enum
from ipaddress import IPv6Address, ip_address

from pydantic import SecretStr

from bridge.http_server.messages import Headers

FORWARDED = (
    *("x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip", "forwarded", "via"),
    *("cf-connecting-ip", "x-envoy-external-address"),
)
"""Headers that a proxy adds: with any of them, even an empty one, the peer isn't the client."""

CHALLENGE: Mapping[str, str] = {"www-authenticate": 'Basic realm="sms-bridge", charset="UTF-8"'}

OTHER_SITES = frozenset({"cross-site", "same-site"})
"""Values of `Sec-Fetch-Site` (Fetch Metadata) of requests that another site's page makes."""


class Access(Enum):
    """The decision about a request."""

    OPEN = "open"
    ASKED = "asked"
    """It has no token, and one is asked for."""
    WRONG = "wrong"
    """Its token is wrong."""
    HIDDEN = "hidden"
    """The answer is that there is no such route."""


def decide_access(client: str, headers: Headers, token: SecretStr | None) -> Access:
    """Decide about a request. With a token set, it is asked for everywhere: what forwards to this machine looks local.

    Args:
        client: The peer's address.
        headers: The request's.
        token: The setting `ADMIN__TOKEN`.
    """
    expected = token.get_secret_value() if token else ""
    if not expected:
        return Access.OPEN if is_local(client, headers) else Access.HIDDEN
    given = _parse_token(headers.get("authorization") or "")
    if not given:
        return Access.ASKED
    return Access.OPEN if hmac.compare_digest(given, expected.encode()) else Access.WRONG


def is_from_other_site(headers: Headers) -> bool:
    """Whether another site's page makes the request; browsers say so, other clients don't."""
    return (headers.get("sec-fetch-site") or "") in OTHER_SITES


def is_local(client: str, headers: Headers) -> bool:
    """Whether a request was made on this machine, `kubectl port-forward` included.

    A request of a foreign page whose host name resolves to this machine (DNS rebinding) is not: its `Host` differs.
    """
    host = headers.get("host") or ""
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    return (
        _is_loopback(client)
        and (name == "localhost" or _is_loopback(name.strip("[]")))
        and not any(headers.get_all(header) for header in FORWARDED)
    )


def _is_loopback(address: str) -> bool:
    try:
        found = ip_address(address)
    except ValueError:
        return False
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return (mapped or found).is_loopback


def _parse_token(authorization: str) -> bytes:
    """The token in a header: a bearer token, or the password of any user."""
    scheme, _, rest = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return rest.strip().encode("utf-8", "surrogateescape")
    if scheme.lower() != "basic":
        return b""
    try:
        return b64decode(rest.strip(), validate=True).partition(b":")[2]
    except (Garbled, ValueError):
        return b""
