"""What is kept of phone numbers: all, a keyed hash, or nothing. Pure."""

import base64
import binascii
import hmac
import re
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlencode

import orjson

from bridge.kafka.wire_format import split_frame
from bridge.providers.report_builder import RECIPIENT_MEMBERS
from bridge.settings.model import PrivacySettings

DROPPED = ""
MASK = "…"

RECIPIENTS = RECIPIENT_MEMBERS | {"dest", "address", "recipient_number", "to_number", "dnis"}
"""Members of anybody's events and callbacks that hold a phone number, lower-case."""

_BYTE_ORDER_MARK = "\ufeff"
_NUMBER = re.compile(r"\+?\d(?:[ ()./-]{0,2}\d){6,}")
"""Seven digits or more, in the ways in which phone numbers are written."""


class RedactedOriginal(NamedTuple):
    """Something of a dead letter as it may be kept."""

    key: bytes | None
    value: bytes | None


class Privacy:
    """The setting, applied.

    Args:
        settings: What is kept.
        recipients: Further names of members that hold a phone number.
    """

    def __init__(self, settings: PrivacySettings, recipients: Iterable[str] = ()) -> None:
        self._keeps = settings.recipient == "keep"
        key = settings.hash_key.get_secret_value().encode() if settings.hash_key else b""
        self._key = key if settings.recipient == "hash" else b""
        self._recipients = RECIPIENTS | {name.lower() for name in recipients}

    def redact_recipient(self, number: str | None) -> str | None:
        """A phone number as it may be kept: itself, the HMAC-SHA-256 of its digits in hexadecimal, or None."""
        if number is None or self._keeps:
            return number
        if not self._key:
            return None
        return hmac.digest(self._key, extract_digits(number).encode(), "sha256").hex()

    def redact_raw(self, raw: str, members: frozenset[str]) -> str:
        """A provider's words, a body or a query, as they may be kept.

        Args:
            raw: What the provider said.
            members: Names of members that hold a phone number, lower-case.
        """
        return raw if self._keeps else _redacted(raw, lambda name, value: self._member(name, value, members))

    def redact_text(self, text: str) -> str:
        """A sentence about an input, which may quote it, as it may be kept."""
        return text if self._keeps else _NUMBER.sub(MASK, text)

    def redact_original(self, key: bytes | None, value: bytes | None) -> RedactedOriginal:
        """What a dead letter holds of an input that nobody could read or use, as it may be kept.

        Where numbers aren't kept as they are, members that hold one are emptied: a hash could not be told from a
        number when the letter is read again. What is neither JSON nor a form loses all that looks like a number.
        """
        if self._keeps:
            return RedactedOriginal(key, value)
        removed: set[str] = set()

        def emptied(name: str, found: Any) -> Any:
            if name.lower() not in self._recipients or found is None:
                return found
            removed.add(extract_digits(str(found)))
            return None

        kept = None
        if value is not None:
            frame, rest = split_frame(value)
            text = _redacted(rest.decode("utf-8", "surrogateescape"), emptied)
            kept = frame + text.encode("utf-8", "surrogateescape")
        return RedactedOriginal(None if key is not None and _is_one_of(key, removed) else key, kept)

    def _member(self, name: str, value: Any, members: frozenset[str]) -> Any:
        if name.lower() not in members or value is None:
            return value
        return self.redact_recipient(str(value)) or DROPPED


def _is_one_of(key: bytes, numbers: set[str]) -> bool:
    """Whether a key is one of these phone numbers; where there are none, whether it looks like any."""
    text = key.decode("utf-8", "replace").strip()
    return extract_digits(text) in numbers - {""} or (not numbers and _NUMBER.fullmatch(text) is not None)


def extract_digits(number: str) -> str:
    """A phone number however it is written, as its digits."""
    return "".join(filter(str.isdigit, number))


Replace = Callable[[str, Any], Any]
"""A member's name and value to what is kept of the value."""


def _redacted(text: str, replace: Replace) -> str:
    """A JSON document, a form or whatever else, with its members replaced; unchanged where none had to be."""
    document = _document(text)
    if document is not None:
        kept = _walked(document, replace)
        return text if kept == document else orjson.dumps(kept).decode()
    if "=" in text and text.lstrip()[:1] not in {"{", "[", "<", '"'}:
        pairs = parse_qsl(text, keep_blank_values=True, errors="surrogateescape")
        named = [(name, replace(name, value) or DROPPED) for name, value in pairs]
        return text if named == pairs else urlencode(named, errors="surrogateescape")
    return _NUMBER.sub(MASK, text)


def _document(text: str) -> dict[str, Any] | list[Any] | None:
    try:
        document = orjson.loads(text.removeprefix(_BYTE_ORDER_MARK))
    except (orjson.JSONDecodeError, UnicodeEncodeError):
        return None
    return document if isinstance(document, dict | list) else None


def _walked(document: Any, replace: Replace) -> Any:
    if isinstance(document, dict):
        return {name: replace(name, _inner(name, value, replace)) for name, value in document.items()}
    if isinstance(document, list):
        return [_walked(part, replace) for part in document]
    return document


def _inner(name: str, value: Any, replace: Replace) -> Any:
    """A member's own members; a CloudEvent may carry them encoded."""
    if name != "data_base64" or not isinstance(value, str):
        return _walked(value, replace)
    try:
        inside = base64.b64decode(value, validate=True)
    except binascii.Error:
        return DROPPED
    kept = _redacted(inside.decode("utf-8", "surrogateescape"), replace)
    return base64.b64encode(kept.encode("utf-8", "surrogateescape")).decode()
