"""Parses what providers send: bytes into members, and members into ids, statuses and times.

The names of members and the meanings of statuses belong to the dialects. Input that can't be parsed raises a
PoisonMessageError; no other error is raised.
"""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, AnyStr

import orjson
from msgspec import UNSET, UnsetType

from bridge.core.entries import EXACT_INTEGERS, MAX_ID_BYTES, MAX_PARTS, Part
from bridge.core.errors import DeadLetterReason, PoisonMessageError
from bridge.core.json_text import replace_half_emojis

MAX_TEXT_CHARS = 256
"""Maximum length of a status, an error code or a detail. A longer text must be something else."""

MAX_PARTS_DIGITS = len(str(MAX_PARTS))

Members = Mapping[str, Any]
"""Values by lower-case name."""

NO_MEMBERS: Members = {}

_BYTE_ORDER_MARK = "\ufeff"

_WHOLE_NUMBER = re.compile(r"-?[0-9]{1,20}")

# Apart from {0}, a placeholder's name has no digits: a GUID in braces is an id.
_TEMPLATE = re.compile(
    r"""
      %[A-Za-z_]+%?                                        # %d  %message_id%
    | [%$#]?\{\s?(?:[A-Za-z_.-]*|[0-9]{1,2})\s?\}          # {x}  ${status}  %{id}  {0}
    | [$#]?\{\{\s?(?:[A-Za-z_.-]*|[0-9]{1,2})\s?\}\}       # {{ message.id }}
    | <[A-Za-z_.-]+>                                       # <message-id>
    """,
    re.VERBOSE,
)
_TEMPLATE_STARTS = "%$#{<"
"""What each of its forms begins with: most texts begin otherwise, and needn't be matched."""


class Number(str):
    """A JSON number, with all digits as they were written: a float would lose digits of an id or a price."""

    __slots__ = ()


_NO_NUMBERS = {str, bool, type(None)}
_WORDS = {True: "true", False: "false"}

_NUMBERS_AS_WRITTEN = json.JSONDecoder(parse_int=Number, parse_float=Number)


def make_unreadable_error(error: str) -> PoisonMessageError:
    """Make the error for input that can't be parsed."""
    return PoisonMessageError(DeadLetterReason.UNREADABLE, error)


def decode_text(body: bytes) -> str:
    """Decode a body.

    Raises:
        PoisonMessageError: It isn't UTF-8.
    """
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise make_unreadable_error("the body is not UTF-8") from error


def load_json(text: AnyStr) -> Any:
    """Load a strict JSON document, with halves of emojis replaced.

    Raises:
        JSONDecodeError: It isn't JSON, or is nested too deeply.
    """
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        mended = replace_half_emojis(text)
        if mended == text:
            raise
        return orjson.loads(mended)


def parse_json(text: str) -> Any:
    """Parse a JSON document, with its numbers as they were written.

    Raises:
        PoisonMessageError: It isn't strict JSON, or is nested too deeply.
    """
    text = strip_byte_order_mark(text)
    try:
        document = load_json(text)  # it is stricter and limits nesting, but can't keep numbers as they were written
        return _NUMBERS_AS_WRITTEN.decode(replace_half_emojis(text)) if _has_numbers(document) else document
    except (ValueError, RecursionError) as error:
        raise make_unreadable_error(f"the body is not JSON: {error}") from error


def unwrap_data(document: Any) -> Any:
    """Take the content out of `{"data": ...}`; otherwise return the document itself."""
    inner = document.get("data") if isinstance(document, dict) else None
    return inner if isinstance(inner, dict | list) else document


def unwrap_only_item(document: Any) -> Any:
    """Take the content out of `{"data": ...}`, a list of one, or both; otherwise return the document itself."""
    value = unwrap_data(document)
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def read_members(document: Any, further: Members = NO_MEMBERS) -> Members:
    """Read the members of a JSON object, or the fields of a form.

    Args:
        document: The object.
        further: Members of something around it, which count where the object has none.

    Raises:
        PoisonMessageError: It isn't an object.
    """
    if not isinstance(document, dict):
        raise make_unreadable_error("a JSON object was expected")
    if further:
        return _index_by_name((*document.items(), *further.items()))
    members = dict(zip(map(str.lower, document), document.values(), strict=True))
    return members if len(members) == len(document) else _index_by_name(document.items())


def find_first(members: Members, names: Iterable[str]) -> Any:
    """Find the first value that isn't empty, in the order of the names; None if there is none."""
    for name in names:
        value = members.get(name)
        if value is not None and not (isinstance(value, str) and not value.strip()):
            return value
    return None


def parse_id(value: Any) -> str:
    """Parse a message id: an opaque string, or a JSON integer, whose digits are the id.

    Raises:
        PoisonMessageError: It is missing, an unfilled template, longer than 128 bytes, or a number that isn't a 64-bit
            integer (a system before this one may have lost digits of it).
    """
    if isinstance(value, Number) and not (_WHOLE_NUMBER.fullmatch(value) and int(value) in EXACT_INTEGERS):
        raise make_unreadable_error("the id is a number but not a 64-bit integer")
    text = _require_text(None if isinstance(value, bool) else value, "id")
    if len(text.encode()) > MAX_ID_BYTES:
        raise make_unreadable_error(f"the id is longer than {MAX_ID_BYTES} bytes")
    return text


def parse_status(value: Any) -> str:
    """Parse a status, exactly as it was written.

    Raises:
        PoisonMessageError: It is missing, not a text, an unfilled template, or longer than 256 characters.
    """
    text = _require_text(value, "status")
    if len(text) > MAX_TEXT_CHARS:
        raise make_unreadable_error(f"the status is longer than {MAX_TEXT_CHARS} characters")
    return text


def parse_optional(value: Any) -> str | None:
    """Parse a code or a detail, exactly as it was written; None if there is none."""
    text = to_text(value)
    return text if text is not None and len(text) <= MAX_TEXT_CHARS else None


def parse_part(part: Any, parts: Any) -> Part | UnsetType:
    """Parse a part's number and how many there are; unset if the report is about a whole message."""
    name, total = parse_optional(part), parse_optional(parts)
    if name is None or total is None or not total.isascii() or not total.isdigit():
        return UNSET
    digits = total.lstrip("0")
    return Part(name, int(digits)) if len(digits) <= MAX_PARTS_DIGITS and 1 < int(digits or 0) <= MAX_PARTS else UNSET


def find_details(members: Members, names: Mapping[str, Iterable[str]]) -> dict[str, str]:
    """Find the details that are published as they are.

    Args:
        members: The members of a callback or an answer.
        names: The published name of each detail, with the provider's names for it.
    """
    found: dict[str, str] = {}
    given = members.keys()
    for name, provider_names in names.items():
        if given.isdisjoint(provider_names):
            continue  # as most are
        text = parse_optional(find_first(members, provider_names))
        if text is not None:
            found[name] = text
    return found


def strip_byte_order_mark(text: str) -> str:
    """Remove the byte order mark that some programs write before a JSON document."""
    return text.removeprefix(_BYTE_ORDER_MARK)


def _index_by_name(pairs: Iterable[tuple[str, Any]]) -> Members:
    members: dict[str, Any] = {}
    for original_name, value in pairs:
        name = original_name.lower()
        if name not in members or _is_empty(members[name]):
            members[name] = value
    return members


def _is_empty(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _require_text(value: Any, name: str) -> str:
    text = to_text(value)
    if text is None:
        raise make_unreadable_error(
            f"the {name} is missing" if _is_empty(value) else f"the {name} is not a usable text"
        )
    return text


def to_text(value: Any) -> str | None:
    """Return a text or number as it was written, or a boolean as JSON has it.

    None if it is empty, an unfilled template, or not UTF-8.
    """
    if not isinstance(value, str):
        return _WORDS.get(value) if isinstance(value, bool) else None
    if not value.strip() or not (value.isascii() or is_utf8(value)):
        return None
    return None if value[0] in _TEMPLATE_STARTS and _TEMPLATE.fullmatch(value) else str(value)


def _has_numbers(document: Any) -> bool:
    """Whether a document may have numbers: one that is nested counts, because it isn't looked into."""
    values = document.values() if isinstance(document, dict) else (document,)
    return not _NO_NUMBERS.issuperset(map(type, values))


def is_utf8(text: str) -> bool:
    """Whether a text can be written in UTF-8: whether all bytes that it was made from could be read."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
