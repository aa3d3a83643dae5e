"""Redacts phone numbers as settings say: keeps them, hashes them with a key, or drops them. Pure.

With `hash` and `drop`, only what is known to be harmless stays: members at paths that are known to have an id, and text
without anything that looks like a phone number.
"""

import base64
import hmac
import json
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlencode

import orjson
from msgspec.structs import replace

from bridge.core.entries import Report
from bridge.kafka.wire_format import split_frame
from bridge.phone_numbers import extract_digits, has_number, replace_numbers
from bridge.providers.member_paths import MemberPath, extend_path
from bridge.providers.parsing import load_json, strip_byte_order_mark
from bridge.providers.urlencoded import MAX_FIELDS
from bridge.settings.model import PrivacySettings

DROPPED = ""
"""Replaces a phone number in a member that must have a value."""

MASK = "…"
"""Replaces what looks like a phone number in a text."""

MULTIPART_START = "--"
"""How a multipart form's first line starts; its fields stand between such lines."""

RECIPIENT_MEMBERS = frozenset(
    {
        *("to", "to_number", "recipient", "recipient_number", "phone", "phone_number", "phonenumber", "number"),
        *("msisdn", "mobile", "destination", "dest", "dst", "address", "dnis", "gsm", "da"),
    }
)
"""Members that are known to have a phone number, in lower case."""

_SENT_PATHS: frozenset[MemberPath] = frozenset(
    {
        *(("message_id",), ("provider_message_id",)),
        *(("id",), ("traceparent",)),  # of a CloudEvent
    }
)


class RedactedOriginal(NamedTuple):
    """The key and value of a dead letter's original, redacted."""

    key: bytes | None
    value: bytes | None


class Privacy:
    """Redacts phone numbers.

    Args:
        settings: How phone numbers are kept.
        recipient_members: Further members that have a phone number.
        known_paths: Where dead letters' originals have ids, besides the members of a sent event.
    """

    def __init__(
        self, settings: PrivacySettings, recipient_members: Iterable[str] = (), known_paths: Iterable[MemberPath] = ()
    ) -> None:
        self.keeps = settings.recipient == "keep"
        """Whether phone numbers stay as they are."""
        key = settings.hash_key.get_secret_value().encode() if settings.hash_key else b""
        self._key = key if settings.recipient == "hash" else b""
        self._recipient_members = RECIPIENT_MEMBERS | {name.lower() for name in recipient_members}
        self._known_paths = _SENT_PATHS | frozenset(known_paths)

    def redact_recipient(self, number: str | None) -> str | None:
        """Redact a phone number: to itself, to the HMAC-SHA-256 of its digits in hexadecimal, or to None."""
        if number is None or self.keeps:
            return number
        if not self._key:
            return None
        return hmac.digest(self._key, extract_digits(number).encode(), "sha256").hex()

    def redact_report(self, report: Report, known_paths: frozenset[MemberPath]) -> Report:
        """Redact a report: its original text, its status and its code.

        Args:
            report: The report.
            known_paths: Where the provider's texts have harmless values.
        """
        if self.keeps:
            return report
        redactor = _Redactor(self._recipient_members, known_paths, self._redact_member)
        return replace(
            report,
            raw=redactor.redact(report.raw),
            provider_status=report.provider_status and self.redact_text(report.provider_status),
            provider_code=report.provider_code and self.redact_text(report.provider_code),
            provider_details={name: self.redact_text(text) for name, text in report.provider_details.items()},
        )

    def redact_text(self, text: str) -> str:
        """Redact a message that may quote input."""
        return text if self.keeps else replace_numbers(text, MASK)

    def redact_original(self, key: bytes | None, value: bytes | None) -> RedactedOriginal:
        """Redact the original in a dead letter.

        Members that have a phone number are emptied, not hashed: a hash could not be told from a number when the dead
        letter is replayed. A key that looks like a phone number is dropped, unless it is a harmless member's value.
        """
        if self.keeps:
            return RedactedOriginal(key, value)
        redactor = _Redactor(self._recipient_members, self._known_paths, lambda _: None)
        redacted = None
        if value is not None:
            frame, rest = split_frame(value)
            text = redactor.redact(rest.decode("utf-8", "surrogateescape"))
            redacted = frame + text.encode("utf-8", "surrogateescape")
        return RedactedOriginal(key if _is_harmless_key(key, redactor.harmless) else None, redacted)

    def _redact_member(self, number: str) -> str:
        return self.redact_recipient(number) or DROPPED


def _is_harmless_key(key: bytes | None, harmless: set[str]) -> bool:
    """Whether a key is a text without a phone number, or the value of a harmless member."""
    try:
        text = (key or b"").decode()
    except UnicodeDecodeError:
        return False
    return text in harmless or (text.isprintable() and replace_numbers(text, "") == text)


class _Redactor:
    """Redacts one text.

    Args:
        recipient_members: Members that have a phone number.
        known_paths: Where harmless values are.
        replace_recipient: Takes a phone number; returns what stands for it.
    """

    def __init__(
        self,
        recipient_members: frozenset[str],
        known_paths: frozenset[MemberPath],
        replace_recipient: Callable[[str], Any],
    ) -> None:
        self._recipient_members, self._known_paths = recipient_members, known_paths
        self._replace_recipient = replace_recipient
        self.harmless: set[str] = set()
        """The values at known paths."""

    def redact(self, text: str, path: MemberPath = ()) -> str:
        """Redact a JSON document, a form or any other text; it stays unchanged if nothing is replaced."""
        try:
            return self._redact(text, path)
        except (RecursionError, orjson.JSONEncodeError):  # nested too deep: every number in it is masked
            return replace_numbers(text, MASK)
        except Exception:  # noqa: BLE001 - an input that nobody foresaw must neither stop anybody nor show a number
            return MASK

    def _redact(self, text: str, path: MemberPath) -> str:
        document = _parse_document(text)
        if document is not None:
            redacted = self._redact_value(document, path)
            # Of a member that comes twice the parser keeps one: the text may have another in it.
            return text if redacted == document and not _repeats_members(text) else orjson.dumps(redacted).decode()
        is_multipart = text.startswith(MULTIPART_START) and "\n" in text
        if "=" in text and text.lstrip()[:1] not in {"{", "[", "<", '"'} and not is_multipart:
            if text.count("&") >= MAX_FIELDS:
                return MASK  # it isn't a callback, and looking at each field would take long
            pairs = parse_qsl(text, keep_blank_values=True, errors="surrogateescape")
            redacted_pairs = [
                (replace_numbers(name, MASK), self._redact_value(value, extend_path(path, name)) or DROPPED)
                for name, value in pairs
            ]
            return text if redacted_pairs == pairs else urlencode(redacted_pairs, errors="surrogateescape")
        return replace_numbers(text, MASK)

    def _redact_value(self, value: Any, path: MemberPath) -> Any:
        if isinstance(value, dict):
            return {
                replace_numbers(name, MASK): self._redact_value(part, extend_path(path, name))
                for name, part in value.items()
            }
        if isinstance(value, list):
            return [self._redact_value(part, path) for part in value]
        return value if value is None or isinstance(value, bool) else self._redact_scalar(value, path)

    def _redact_scalar(self, value: Any, path: MemberPath) -> Any:
        text = str(value)
        if not self._recipient_members.isdisjoint(path):
            return self._replace_recipient(text)
        if path in self._known_paths:
            self.harmless.add(text)
            return value
        if not isinstance(value, str):
            return MASK if has_number(text) else value
        return self._redact_encoded(text) if path[-1:] == ("data_base64",) else self._redact_text(text, path)

    def _redact_text(self, text: str, path: MemberPath) -> str:
        """Redact a member's text, which may be a JSON document of its own."""
        return self._redact(text, path) if text[:1] in {"{", "["} else replace_numbers(text, MASK)

    def _redact_encoded(self, text: str) -> str:
        """Redact a CloudEvent's data, which it may have in base64."""
        try:
            inside = base64.b64decode(text, validate=True)
        except ValueError:  # not base64, or not even ASCII
            return DROPPED
        if has_number(text):  # a phone number is base64, too
            return DROPPED
        redacted = self._redact(inside.decode("utf-8", "surrogateescape"), ())
        return base64.b64encode(redacted.encode("utf-8", "surrogateescape")).decode()


def _repeats_members(text: str) -> bool:
    """Whether an object in a JSON document has two members of the same name."""
    repeats = False

    def note(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal repeats
        members = dict(pairs)
        repeats |= len(members) < len(pairs)
        return members

    json.loads(strip_byte_order_mark(text), object_pairs_hook=note)
    return repeats


def _parse_document(text: str) -> dict[str, Any] | list[Any] | None:
    try:
        document = load_json(strip_byte_order_mark(text))
    except (orjson.JSONDecodeError, UnicodeEncodeError):
        return None
    return document if isinstance(document, dict | list) else None
