"""What is kept of phone numbers: all, a keyed hash, or nothing. Pure."""

import hmac
from typing import Any
from urllib.parse import parse_qsl, urlencode

import orjson

from bridge.settings.model import PrivacySettings

DROPPED = ""


class Privacy:
    """The setting, applied."""

    def __init__(self, settings: PrivacySettings) -> None:
        self._keeps = settings.recipient == "keep"
        key = settings.hash_key.get_secret_value().encode() if settings.hash_key else b""
        self._key = key if settings.recipient == "hash" else b""

    def recipient(self, number: str | None) -> str | None:
        """A phone number as it may be kept: itself, the HMAC-SHA-256 of its digits in hexadecimal, or None."""
        if number is None or self._keeps:
            return number
        if not self._key:
            return None
        return hmac.digest(self._key, digits_of(number).encode(), "sha256").hex()

    def words(self, raw: str, members: frozenset[str]) -> str:
        """A provider's words, a body or a query, as they may be kept.

        Args:
            raw: What the provider said.
            members: Names of members that hold a phone number, lower-case.
        """
        if self._keeps:
            return raw
        try:
            document = orjson.loads(raw)
        except orjson.JSONDecodeError:
            pairs = parse_qsl(raw, keep_blank_values=True)
            return urlencode([(name, self._member(name, value, members)) for name, value in pairs])
        return orjson.dumps(self._redacted(document, members)).decode()

    def _redacted(self, document: Any, members: frozenset[str]) -> Any:
        if isinstance(document, dict):
            return {k: self._member(k, self._redacted(v, members), members) for k, v in document.items()}
        if isinstance(document, list):
            return [self._redacted(part, members) for part in document]
        return document

    def _member(self, name: str, value: Any, members: frozenset[str]) -> Any:
        if name.lower() not in members or value is None:
            return value
        return self.recipient(str(value)) or DROPPED


def digits_of(number: str) -> str:
    """A phone number however it is written, as its digits."""
    return "".join(filter(str.isdigit, number))
