"""OAuth tokens for connections to Kafka: the interface of their sources, and tokens that others issue.

The client library asks a source for each new connection. A broker ends a connection when its token expires; the client
then connects again, so that it asks again.
"""

import asyncio
import re
from pathlib import Path
from typing import Protocol

import structlog
from aiokafka.abc import AbstractTokenProvider
from aiokafka.errors import KafkaConnectionError

from bridge.settings.model import PREFIX

MAX_TOKEN_BYTES = 64 * 1024

_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")
"""RFC 6750, section 2.1. Anything else would break Kafka's message, in which control characters separate fields."""

log = structlog.get_logger(__name__)


class TokenError(KafkaConnectionError):  # type: ignore[misc]  # aiokafka has no types
    """There is no token, so there is no connection: it is tried again, like any other connection.

    The text names the setting and the remedy, and has no secret.
    """

    def __str__(self) -> str:
        return str(self.args[0])


class TokenSource(Protocol):
    """Gives the token of a new connection."""

    async def fetch(self) -> str:
        """Return a token that is valid now.

        Raises:
            TokenError: There is none.
        """
        ...


class TokenProvider(AbstractTokenProvider):  # type: ignore[misc]  # aiokafka has no types
    """Hands a source's tokens to the client library, and logs when there are none and when there are some again."""

    def __init__(self, source: TokenSource) -> None:
        self._source = source
        self._failure = ""

    async def token(self) -> str:
        """Return the token of a new connection.

        Raises:
            TokenError: There is none.
        """
        try:
            token = await self._source.fetch()
        except TokenError as error:
            # Several clients try several times per second.
            if str(error) != self._failure:
                self._failure = str(error)
                log.warning("no OAuth token for Kafka", error=self._failure)
            raise
        if self._failure:
            self._failure = ""
            log.info("OAuth token for Kafka is available again")
        return token


class FixedToken:
    """A token that stays the same."""

    def __init__(self, token: str) -> None:
        self._token = token.strip()

    async def fetch(self) -> str:
        """Return the token."""
        return check_token(self._token, "KAFKA__SASL_PASSWORD")


class FileToken:
    """A token in a file, which is read anew each time."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def fetch(self) -> str:
        """Read the token.

        Raises:
            TokenError: The file can't be read, or has no token.
        """
        setting = "KAFKA__OAUTH__TOKEN_FILE"
        try:
            data = await asyncio.to_thread(self._read)
        except OSError as error:
            why = f"{PREFIX}{setting}: {self._path} can't be read ({error.strerror}); have the token written there"
            raise TokenError(why) from error
        return check_token(data.decode("latin-1").strip(), setting)

    def _read(self) -> bytes:
        with self._path.open("rb") as file:
            return file.read(MAX_TOKEN_BYTES + 1)


def check_token(token: str, setting: str) -> str:
    """Return the token if it may be sent.

    Args:
        token: What should be a token.
        setting: Where it comes from, for the error.

    Raises:
        TokenError: It is too long, empty, or has characters that no token has.
    """
    if len(token) > MAX_TOKEN_BYTES or not _TOKEN.fullmatch(token):
        why = "empty" if not token else "not a token" if len(token) <= MAX_TOKEN_BYTES else "too long for a token"
        raise TokenError(f"{PREFIX}{setting}: what is there is {why}, which is one word of A-Z a-z 0-9 - . _ ~ + / =")
    return token
