"""Reads the values of the members of `sms.sent` in every form that can mean only one thing. Pure.

Each reader takes what a sender wrote, raises a `ValueError` that says why it can't be used, and never quotes it: it may
be a phone number.
"""

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from bridge.core.entries import EXACT_INTEGERS, MAX_ID_BYTES
from bridge.core.time_formats import MIN_EPOCH_MS, convert_epoch, parse_time
from bridge.core.timestamps import parse_rfc3339
from bridge.intake.source_event import parse_json

TIME_MEMBERS = ("sent_at", "scheduled_at", "give_up_at")

MAX_TIME_MS = 32_503_679_999_999
"""The end of the year 2999. Some clients write their largest date for "never", and ages are added to times."""

DOTS = frozenset({".", ".."})
"""No ids: in a URL, percent-encoded too, these name another path (RFC 3986, section 6.2.2)."""

MAX_TEXT_CHARS = 1_000
"""A longer phone number or sender's name is something else."""


def read_id(value: Any) -> str:
    """Read an id: text, or an exact integer as its digits."""
    if not isinstance(value, str):
        value = _convert_integer(value)
        if value is None:
            raise ValueError("neither text nor an exact integer")
    if not value:
        raise ValueError("empty")
    if value in DOTS:
        raise ValueError(f"{value!r} is no id")
    if len(value) * 4 > MAX_ID_BYTES and len(value.encode("utf-8", "surrogatepass")) > MAX_ID_BYTES:
        raise ValueError(f"longer than {MAX_ID_BYTES} bytes")
    return value  # type: ignore[no-any-return]  # mypy forgets that it is text


def read_text(value: Any) -> str:
    """Read a text; an exact integer is taken as its digits."""
    text = value if isinstance(value, str) else _convert_integer(value)
    if text is None:
        raise ValueError("not text")
    if len(text) > MAX_TEXT_CHARS:
        raise ValueError(f"longer than {MAX_TEXT_CHARS} characters")
    return text


def read_time(value: Any) -> int:
    """Read a time to milliseconds since the epoch: any text that can mean only one time, or a number."""
    milliseconds = None
    if isinstance(value, str):
        # The usual form first, because that takes a third of the time.
        milliseconds = parse_rfc3339(value) if value[-1:] == "Z" else None
        if milliseconds is None:
            milliseconds = parse_time(value, MAX_TIME_MS, timezone=None)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        milliseconds = convert_epoch(value, MAX_TIME_MS)
    if milliseconds is None or not MIN_EPOCH_MS <= milliseconds <= MAX_TIME_MS:
        raise ValueError("not a time from 2000 to 2999 that can mean only one moment")
    return milliseconds


def read_metadata(value: Any) -> dict[str, str]:
    """Read metadata: an object, or text that is one. Values that aren't text become JSON text, and null is left out."""
    document = parse_json(value) if isinstance(value, str) else value
    if not isinstance(document, dict):
        raise ValueError("not an object")  # noqa: TRY004 - it is the value that is wrong, as everywhere here
    for text in document.values():
        if not isinstance(text, str):
            return _convert_to_texts(document)
    return document


READERS: Mapping[str, Callable[[Any], Any]] = {
    **dict.fromkeys(("message_id", "provider_message_id", "provider", "account"), read_id),
    **dict.fromkeys(TIME_MEMBERS, read_time),
    **dict.fromkeys(("recipient", "sender"), read_text),
    "metadata": read_metadata,
}
"""The reader of each member."""


def _convert_integer(value: Any) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool) and value in EXACT_INTEGERS:
        return str(value)
    return None


def _convert_to_texts(document: dict[str, Any]) -> dict[str, str]:
    try:
        return {
            name: value if isinstance(value, str) else orjson.dumps(value).decode()
            for name, value in document.items()
            if value is not None
        }
    except orjson.JSONEncodeError:
        raise ValueError("nested too deep") from None
