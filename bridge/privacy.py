"""Redacts phone numbers as settings say: keeps them, hashes them with a key, or drops them. Pure."""

import base64
import hmac
import re
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlencode

import orjson

from bridge.kafka.wire_format import split_frame
from bridge.providers.parsing import strip_byte_order_mark
from bridge.providers.report_builder import RECIPIENT_MEMBERS
from bridge.settings.model import PrivacySettings

DROPPED = ""
"""Replaces a phone number in a member that must have a value."""

MASK = "…"
"""Replaces what looks like a phone number in a text."""

ALL_RECIPIENT_MEMBERS = RECIPIENT_MEMBERS | {"dest", "address", "recipient_number", "to_number", "dnis"}
"""Members of sent events and callbacks that have a phone number, in lower case."""

_NUMBER = re.compile(r"\+?\d(?:[ ()./-]{0,2}\d){6,}")
"""Seven digits or more, with separators as phone numbers have them."""


class RedactedOriginal(NamedTuple):
    """The key and value of a dead letter's original, redacted."""

    key: bytes | None
    value: bytes | None


class Privacy:
    """Redacts phone numbers.

    Args:
        settings: How phone numbers are kept.
        recipient_members: Further members that have a phone number.
    """

    def __init__(self, settings: PrivacySettings, recipient_members: Iterable[str] = ()) -> None:
        self._keeps = settings.recipient == "keep"
        key = settings.hash_key.get_secret_value().encode() if settings.hash_key else b""
        self._key = key if settings.recipient == "hash" else b""
        self._recipient_members = ALL_RECIPIENT_MEMBERS | {name.lower() for name in recipient_members}

    def redact_recipient(self, number: str | None) -> str | None:
        """Redact a phone number: to itself, to the HMAC-SHA-256 of its digits in hexadecimal, or to None."""
        if number is None or self._keeps:
            return number
        if not self._key:
            return None
        return hmac.digest(self._key, extract_digits(number).encode(), "sha256").hex()

    def redact_raw(self, raw: str, members: frozenset[str]) -> str:
        """Redact the text of a callback or an answer: a body or a query.

        Args:
            raw: The text.
            members: Names of members that have a phone number, in lower case.
        """
        return raw if self._keeps else _redact(raw, lambda name, value: self._redact_member(name, value, members))

    def redact_text(self, text: str) -> str:
        """Redact a message that may quote input."""
        return text if self._keeps else _NUMBER.sub(MASK, text)

    def redact_original(self, key: bytes | None, value: bytes | None) -> RedactedOriginal:
        """Redact the original in a dead letter.

        Members that have a phone number are emptied, not hashed: a hash could not be told from a number when the dead
        letter is replayed. Text that is neither JSON nor a form loses everything that looks like a phone number.
        """
        if self._keeps:
            return RedactedOriginal(key, value)
        removed: set[str] = set()

        def empty(name: str, member: Any) -> Any:
            if name.lower() not in self._recipient_members or member is None:
                return member
            removed.add(extract_digits(str(member)))
            return None

        redacted = None
        if value is not None:
            frame, rest = split_frame(value)
            text = _redact(rest.decode("utf-8", "surrogateescape"), empty)
            redacted = frame + text.encode("utf-8", "surrogateescape")
        return RedactedOriginal(None if key is not None and _is_phone_number(key, removed) else key, redacted)

    def _redact_member(self, name: str, value: Any, members: frozenset[str]) -> Any:
        if name.lower() not in members or value is None:
            return value
        return self.redact_recipient(str(value)) or DROPPED


def _is_phone_number(key: bytes, numbers: set[str]) -> bool:
    """Whether a key is one of these phone numbers or, if there are none, looks like a phone number."""
    text = key.decode("utf-8", "replace").strip()
    return extract_digits(text) in numbers - {""} or (not numbers and _NUMBER.fullmatch(text) is not None)


def extract_digits(number: str) -> str:
    """Extract the digits of a phone number."""
    return "".join(filter(str.isdigit, number))


ReplaceValue = Callable[[str, Any], Any]
"""Takes a member's name and value; returns the redacted value."""


def _redact(text: str, replace: ReplaceValue) -> str:
    """Redact a JSON document, a form or any other text; it stays unchanged if nothing is replaced."""
    document = _parse_document(text)
    if document is not None:
        try:
            redacted = _redact_document(document, replace)
            return text if redacted == document else orjson.dumps(redacted).decode()
        except (RecursionError, orjson.JSONEncodeError):  # nested too deep: every number in it is masked
            return _NUMBER.sub(MASK, text)
    if "=" in text and text.lstrip()[:1] not in {"{", "[", "<", '"'}:
        pairs = parse_qsl(text, keep_blank_values=True, errors="surrogateescape")
        redacted_pairs = [(name, replace(name, value) or DROPPED) for name, value in pairs]
        return text if redacted_pairs == pairs else urlencode(redacted_pairs, errors="surrogateescape")
    return _NUMBER.sub(MASK, text)


def _parse_document(text: str) -> dict[str, Any] | list[Any] | None:
    try:
        document = orjson.loads(strip_byte_order_mark(text))
    except (orjson.JSONDecodeError, UnicodeEncodeError):
        return None
    return document if isinstance(document, dict | list) else None


def _redact_document(document: Any, replace: ReplaceValue) -> Any:
    if isinstance(document, dict):
        return {name: replace(name, _redact_inner(name, value, replace)) for name, value in document.items()}
    if isinstance(document, list):
        return [_redact_document(part, replace) for part in document]
    return document


def _redact_inner(name: str, value: Any, replace: ReplaceValue) -> Any:
    """Redact a member's own members, which a CloudEvent may have in base64."""
    if name != "data_base64" or not isinstance(value, str):
        return _redact_document(value, replace)
    try:
        inside = base64.b64decode(value, validate=True)
    except ValueError:  # not base64, or not even ASCII
        return DROPPED
    redacted = _redact(inside.decode("utf-8", "surrogateescape"), replace)
    return base64.b64encode(redacted.encode("utf-8", "surrogateescape")).decode()
