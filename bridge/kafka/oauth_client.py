"""Fetches OAuth tokens with a client's id and secret (RFC 6749, section 4.4).

No secret is in an error or in the log: neither the answer's text nor the headers are repeated.
"""

import asyncio
import re
import ssl
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote_plus

import httpx
import orjson

from bridge.kafka.token_cache import IssuedToken, TokenCache
from bridge.kafka.tokens import MAX_TOKEN_BYTES, TokenError, check_token
from bridge.settings.kafka import OAuthSettings
from bridge.settings.model import PREFIX
from bridge.tls.connection_errors import list_causes

FETCH_TIMEOUT = 10.0
"""Seconds for one request, with its connection and its whole answer."""

MAX_ANSWER_BYTES = 2 * MAX_TOKEN_BYTES

_ERROR_CODE = re.compile(r"[a-z_]{1,64}")
"""An error of RFC 6749, section 5.2; anything else isn't repeated."""

_SETTING = "KAFKA__OAUTH__TOKEN_URL"
_REFUSALS = {400, 401, 403}


class OAuthClient:
    """Fetches tokens, and keeps them.

    Args:
        settings: The server and the client's credentials.
        clock: Monotonic seconds.
    """

    def __init__(self, settings: OAuthSettings, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._cache = TokenCache(self._request_token, clock)

    async def fetch(self) -> str:
        """Return a token that is valid now.

        Raises:
            TokenError: The server gave none.
        """
        return await self._cache.fetch()

    async def _request_token(self) -> IssuedToken:
        return _parse_answer(await self._send())

    async def _send(self) -> httpx.Response:
        """Send the request, and read the answer, limited in time and size."""
        settings = self._settings
        form = {"grant_type": "client_credentials", **({"scope": settings.scope} if settings.scope else {})}
        secret = settings.client_secret.get_secret_value() if settings.client_secret else ""
        auth = httpx.BasicAuth(quote_plus(settings.client_id or ""), quote_plus(secret))
        headers = {"accept": "application/json", "accept-encoding": "identity"}
        try:
            async with asyncio.timeout(FETCH_TIMEOUT):
                # Made anew each time, so that a renewed file is read.
                verify = await asyncio.to_thread(_make_context, settings)
                async with (
                    httpx.AsyncClient(verify=verify, timeout=FETCH_TIMEOUT) as client,
                    client.stream("POST", settings.token_url, data=form, auth=auth, headers=headers) as answer,
                ):
                    return httpx.Response(answer.status_code, content=await _read_body(answer))
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
            raise TokenError(self._describe_outage(error)) from None

    def _describe_outage(self, error: Exception) -> str:
        host = httpx.URL(self._settings.token_url).netloc.decode("ascii", "replace")
        if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in list_causes(error)):
            return f"{PREFIX}{_SETTING}: the certificate of {host} isn't trusted; set {PREFIX}KAFKA__OAUTH__CA_FILE"
        return (
            f"{PREFIX}{_SETTING}: no OAuth server answers at {host} ({type(error).__name__}); "
            "is it up, and is this its address?"
        )


def _make_context(settings: OAuthSettings) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=settings.ca_file)
    except OSError as error:
        why = f"{settings.ca_file} can't be read ({error.strerror or error}); give a PEM file of certificates"
        raise TokenError(f"{PREFIX}KAFKA__OAUTH__CA_FILE: {why}") from error


async def _read_body(answer: httpx.Response) -> bytes:
    body = bytearray()
    async for chunk in answer.aiter_raw():
        body += chunk
        if len(body) > MAX_ANSWER_BYTES:
            raise TokenError(f"{PREFIX}{_SETTING}: the answer has over {MAX_ANSWER_BYTES} bytes; is this its address?")
    return bytes(body)


def _parse_answer(answer: httpx.Response) -> IssuedToken:
    try:
        document = orjson.loads(answer.content)
    except orjson.JSONDecodeError:
        document = None
    members: dict[str, Any] = document if isinstance(document, dict) else {}
    if answer.status_code != httpx.codes.OK:
        raise TokenError(_describe_refusal(answer.status_code, str(members.get("error", ""))))
    token = members.get("access_token")
    if not isinstance(token, str) or str(members.get("token_type", "bearer")).lower() != "bearer":
        raise TokenError(f"{PREFIX}{_SETTING}: the answer has no bearer token; is this an OAuth server's token URL?")
    return IssuedToken(check_token(token, _SETTING), _parse_lifetime(members.get("expires_in")))


def _parse_lifetime(seconds: Any) -> float:
    """Parse `expires_in`. A server that doesn't give it is asked for each connection."""
    try:
        return max(0.0, float(seconds))
    except (TypeError, ValueError):
        return 0.0


def _describe_refusal(status: int, code: str) -> str:
    reason = f"{code}, status {status}" if _ERROR_CODE.fullmatch(code) else f"status {status}"
    if code == "invalid_scope":
        return f"{PREFIX}KAFKA__OAUTH__SCOPE: the OAuth server refuses the scope ({reason}); ask for one that it knows"
    if status in _REFUSALS:
        return (
            f"{PREFIX}KAFKA__OAUTH__CLIENT_SECRET: the OAuth server refuses the client ({reason}); "
            f"check it and {PREFIX}KAFKA__OAUTH__CLIENT_ID"
        )
    return f"{PREFIX}{_SETTING}: the OAuth server answers with an error ({reason}); see its log"
