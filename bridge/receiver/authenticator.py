"""Finds whose callback a request is: by the secret in its path, by Basic auth or a header, and by its address."""

import hmac
from base64 import b64encode
from collections.abc import Iterable
from typing import NamedTuple

from pydantic import SecretStr

from bridge.accounts import Accounts, CallbackAccess, ProviderAccount
from bridge.http_server.messages import Headers, Request
from bridge.receiver.client_address import Networks, find_client_address, is_in_networks


class _Candidate(NamedTuple):
    account: ProviderAccount
    access: CallbackAccess
    secrets: tuple[bytes, ...]
    """Secrets in the path."""
    credentials: tuple[tuple[str, bytes], ...]
    """Headers with their values, all of which a callback must have."""


class Authenticator:
    """Knows the credentials of all accounts. They are compared so that the time taken reveals nothing.

    Args:
        accounts: The accounts.
        proxies: The networks of trusted proxies.
    """

    def __init__(self, accounts: Accounts, proxies: Networks) -> None:
        self._proxies = proxies
        self._candidates: dict[str, list[_Candidate]] = {}
        for account in accounts.values():
            if access := account.access:
                secrets = tuple(secret.get_secret_value().encode() for secret in access.secrets)
                candidate = _Candidate(account, access, secrets, tuple(_list_credentials(access)))
                self._candidates.setdefault(account.provider, []).append(candidate)
        self._routes = {(name, bool(one.secrets)) for name, some in self._candidates.items() for one in some}

    @property
    def providers(self) -> Iterable[str]:
        """The providers that have callbacks."""
        return self._candidates.keys()

    def find_account(self, provider: str, secret: str | None, headers: Headers) -> ProviderAccount | None:
        """Find the account with a secret; without one in the path, the account whose credentials the headers have."""
        match: ProviderAccount | None = None
        given = (secret or "").encode()
        for candidate in self._candidates[provider]:
            if secret is None:
                if not candidate.secrets and has_credentials(candidate.credentials, headers):
                    match = candidate.account
                continue
            for expected in candidate.secrets:
                if hmac.compare_digest(expected, given):
                    match = candidate.account
        return match

    def knows_route(self, provider: str, secret: str | None) -> bool:
        """Whether a provider has callbacks with, or without, a secret in their path."""
        return (provider, secret is not None) in self._routes

    def has_credentials(self, account: ProviderAccount, headers: Headers) -> bool:
        """Whether the headers have what the account requires beside the secret in the path."""
        return all(
            has_credentials(candidate.credentials, headers)
            for candidate in self._candidates[account.provider]
            if candidate.account is account and candidate.credentials
        )

    def is_allowed(self, access: CallbackAccess, request: Request) -> bool:
        """Whether a request comes from a network that the account allows."""
        if not access.networks:
            return True
        lines = request.headers.get_all
        address = find_client_address(request.client, lines("x-forwarded-for"), lines("forwarded"), self._proxies)
        return address is not None and is_in_networks(address, access.networks)


def has_credentials(credentials: Iterable[tuple[str, bytes]], headers: Headers) -> bool:
    """Whether headers have all of these values."""
    matches = [
        hmac.compare_digest(expected, _normalize(name, headers.get(name) or "").encode("utf-8", "surrogateescape"))
        for name, expected in credentials
    ]
    return all(matches)


def _list_credentials(access: CallbackAccess) -> Iterable[tuple[str, bytes]]:
    if access.header:
        name, value = access.header
        yield name, _normalize(name, value.get_secret_value()).encode()
    if access.basic_auth:
        yield "authorization", _format_basic(*access.basic_auth)


def _format_basic(username: str, password: SecretStr) -> bytes:
    """Format the value of `Authorization` for Basic auth (RFC 7617)."""
    return b"basic " + b64encode(f"{username}:{password.get_secret_value()}".encode())


def _normalize(name: str, value: str) -> str:
    """Write the scheme of credentials in lower case: it is compared without case (RFC 9110, 11.1)."""
    if name != "authorization":
        return value.strip()
    scheme, blank, rest = value.strip().partition(" ")
    return f"{scheme.lower()} {rest.strip()}" if blank else scheme
