"""Parses queries and urlencoded forms. Pure."""

from collections.abc import Mapping
from urllib.parse import unquote

from bridge.providers.parsing import make_unreadable_error

MAX_FIELDS = 1000
"""Maximum number of a form's fields: each takes some microseconds to decode, and 32,000 fit into a callback."""


def parse_fields(text: str, charset: str = "utf-8") -> Mapping[str, str]:
    """Parse the fields of a query or an urlencoded form by name; of several, the first that isn't empty counts.

    Only the fields that are used have to be in the character set.

    Raises:
        PoisonMessageError: There are more than `MAX_FIELDS`.
    """
    if text.count("&") >= MAX_FIELDS:
        raise make_unreadable_error(f"there are more than {MAX_FIELDS} fields")
    has_escapes = "%" in text or "+" in text
    fields: dict[str, str] = {}
    for part in text.split("&"):
        name, _, value = part.partition("=")
        if has_escapes and ("%" in part or "+" in part):  # few parts have some
            name, value = _unescape(name, charset), _unescape(value, charset)
        if part and not fields.get(name):
            fields[name] = value
    return fields


def _unescape(text: str, charset: str) -> str:
    """Decode the escapes of a query or a form (WHATWG URL, 5.1)."""
    return unquote(text.replace("+", " "), charset, "surrogateescape")
