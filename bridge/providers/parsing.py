"""How providers' text is read: bytes into members, members into ids, words and times.

What a member is called and what its value means is each dialect's business and not found here; nor are signatures,
requests and HTTP status codes. Whatever can't be read raises Poison, and nothing else is ever raised.
"""

import json
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any
from urllib.parse import parse_qsl

import orjson

from bridge.core.entries import MAX_ID_BYTES
from bridge.core.errors import DeadLetterReason, PoisonMessageError
from bridge.providers.dialect import Callback

MAX_WORD_CHARS = 256
"""The most characters of a status, an error code or a detail. Longer ones are no status but something else."""

Members = Mapping[str, Any]
"""What was said, by lower-case name."""

_BYTE_ORDER_MARK = "\ufeff"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_LAST_MILLISECOND = 253_402_300_799_999  # the end of the year 9999, the last one that RFC 3339 can write
_FIRST_IN_MILLISECONDS = 100_000_000_000  # as seconds the year 5138, as milliseconds 1973: the two never meet

_WHOLE_NUMBER = re.compile(r"-?[0-9]{1,20}")
_SIXTY_FOUR_BITS = range(-(2**63), 2**64)
_EPOCH_TIME = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,9})?")
_CALENDAR_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?:Z|[+-][0-9]{2}:?[0-9]{2})?"
)

# A placeholder's name has no digits but {0}'s, so that a GUID in braces stays an id.
_TEMPLATE = re.compile(
    r"""
      %[A-Za-z_]+%?                                        # %d  %message_id%
    | [%$#]?\{\s?(?:[A-Za-z_.-]*|[0-9]{1,2})\s?\}          # {x}  ${status}  %{id}  {0}
    | [$#]?\{\{\s?(?:[A-Za-z_.-]*|[0-9]{1,2})\s?\}\}       # {{ message.id }}
    | <[A-Za-z_.-]+>                                       # <message-id>
    """,
    re.VERBOSE,
)


class Number(str):
    """A JSON number, digit for digit as it was written: a float would lose the digits of an id or a price."""

    __slots__ = ()


def unreadable_error(error: str) -> PoisonMessageError:
    """The one kind of Poison that a provider's input can be."""
    return PoisonMessageError(DeadLetterReason.UNREADABLE, error)


def is_json(callback: Callback) -> bool:
    """Whether a callback's body is JSON: its content type says so, or its first byte does.

    The first byte speaks whatever the content type: no form starts with a brace, and many HTTP clients declare a form
    where nobody told them otherwise.
    """
    if callback.method == "GET":
        return False
    media_type = callback.content_type.partition(";")[0].strip().lower()
    if media_type in {"application/json", "text/json"} or media_type.endswith("+json"):
        return True
    return callback.body.removeprefix(_BYTE_ORDER_MARK.encode()).lstrip().startswith((b"{", b"["))


def decode_original(callback: Callback) -> str:
    """What the provider said, character for character: the body, or a GET's query.

    Raises:
        PoisonMessageError: It isn't text.
    """
    if callback.method != "GET":
        return decode_text(callback.body)
    if not _can_be_written(callback.query):
        raise unreadable_error("the query is not UTF-8")
    return callback.query


def decode_text(body: bytes) -> str:
    """A body as text.

    Raises:
        PoisonMessageError: It isn't UTF-8.
    """
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise unreadable_error("the body is not UTF-8") from error


def parse_json(text: str) -> Any:
    """A JSON document, its numbers as they were written.

    Raises:
        PoisonMessageError: It isn't strict JSON, or is nested too deeply.
    """
    text = text.removeprefix(_BYTE_ORDER_MARK)
    try:
        orjson.loads(text)  # the stricter reader, with a bound on nesting; it can't keep numbers as they are, though
        return json.loads(text, parse_int=Number, parse_float=Number)
    except (ValueError, RecursionError) as error:
        raise unreadable_error(f"the body is not JSON: {error}") from error


def unwrap_data(document: Any) -> Any:
    """What is inside `{"data": ...}`, a list of one, or both; or the document itself."""
    inner = document.get("data") if isinstance(document, dict) else None
    value = inner if isinstance(inner, dict | list) else document
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def read_members(document: Any) -> Members:
    """A JSON object's members.

    Raises:
        PoisonMessageError: It is no object.
    """
    if not isinstance(document, dict):
        raise unreadable_error("a JSON object was expected")
    return _by_name(document.items())


def parse_form(text: str) -> Members:
    """The members of a query or of a form-encoded body. Only those that are used have to be UTF-8."""
    if "%" in text or "+" in text:
        return _by_name(parse_qsl(text, keep_blank_values=True, errors="surrogateescape"))
    # Nothing is escaped, as a rule, and this runs once for each callback.
    return _by_name(part.partition("=")[::2] for part in text.split("&") if part)


def find_first(members: Members, names: Iterable[str]) -> Any:
    """The first value that isn't empty, in the order of the names; None where there is none."""
    for name in names:
        if name in members and not _is_empty(value := members[name]):
            return value
    return None


def parse_id(value: Any) -> str:
    """A message id: an opaque string; a JSON integer is taken as its digits.

    Raises:
        PoisonMessageError: It is missing, an unfilled template, longer than 128 bytes, or a number that isn't a 64-bit
            integer (another system's reader has lost digits of it).
    """
    if isinstance(value, Number) and not (_WHOLE_NUMBER.fullmatch(value) and int(value) in _SIXTY_FOUR_BITS):
        raise unreadable_error("the id is a number, yet no integer of 64 bits")
    text = _required(value, "id")
    if len(text.encode()) > MAX_ID_BYTES:
        raise unreadable_error(f"the id has more than {MAX_ID_BYTES} bytes")
    return text


def parse_status(value: Any) -> str:
    """A status, exactly as it was written.

    Raises:
        PoisonMessageError: Missing, no text, a template that nobody filled in, or more than 256 characters.
    """
    text = _required(value, "status")
    if len(text) > MAX_WORD_CHARS:
        raise unreadable_error(f"the status has more than {MAX_WORD_CHARS} characters")
    return text


def parse_optional(value: Any) -> str | None:
    """A code or a detail, exactly as it was written; None where there is nothing to read."""
    text = _written(value)
    return text if text is not None and len(text) <= MAX_WORD_CHARS else None


def find_details(members: Members, names: Mapping[str, Iterable[str]]) -> dict[str, str]:
    """The extras that may be passed on, by our names.

    Args:
        members: What was said.
        names: Our name of each extra, and the provider's names for it.
    """
    said = {ours: value for ours, theirs in names.items() if (value := find_first(members, theirs)) is not None}
    return {ours: text for ours, value in said.items() if (text := parse_optional(value)) is not None}


def parse_time(value: Any, timezone: tzinfo) -> int | None:
    """A provider's time in milliseconds since the epoch; None where there is none or it can't be read.

    Args:
        value: `yyyy-MM-dd HH:mm:ss`, RFC 3339, or seconds or milliseconds since the epoch, as number or text.
        timezone: Where the provider's clock hangs, for a time that doesn't say.
    """
    text = (_written(value) or "").strip().upper()
    if _EPOCH_TIME.fullmatch(text):
        moment = float(text)
        milliseconds = round(moment if moment >= _FIRST_IN_MILLISECONDS else moment * 1000)
    elif _CALENDAR_TIME.fullmatch(text):
        milliseconds = _since_epoch(text, timezone)
    else:
        return None
    return milliseconds if 0 < milliseconds <= _LAST_MILLISECOND else None


def _since_epoch(text: str, timezone: tzinfo) -> int:
    try:
        moment = datetime.fromisoformat(text)
        # A local time that daylight saving skips, or has twice, counts as before the change.
        aware = moment if moment.tzinfo else moment.replace(tzinfo=timezone)
        return (aware - _EPOCH) // _MILLISECOND
    except (ValueError, OverflowError):
        return 0  # a date that no calendar has, such as 0000-00-00


def _by_name(pairs: Iterable[tuple[str, Any]]) -> Members:
    found: dict[str, Any] = {}
    for written, value in pairs:
        name = written.lower()
        if _is_empty(found.get(name)):
            found[name] = value
    return found


def _is_empty(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _required(value: Any, what: str) -> str:
    text = _written(value)
    if text is None:
        raise unreadable_error(f"the {what} is missing" if _is_empty(value) else f"the {what} is no usable text")
    return text


def _written(value: Any) -> str | None:
    """A text or number as it was written, unless it is empty, a template that nobody filled in, or no UTF-8."""
    if not isinstance(value, str) or _is_empty(value) or not _can_be_written(value):
        return None
    return None if _TEMPLATE.fullmatch(value) else str(value)


def _can_be_written(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
