"""Words, numbers and times as people read them, on the page and in a terminal, and JSON as scripts read it."""

from collections.abc import Iterable
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import Any

import msgspec
import orjson

_CONTROLS = {
    code: f"\\u{code:04x}"
    for code in (
        *(code for code in range(0x20) if chr(code) not in "\t\n"),
        *range(0x7F, 0xA0),  # DEL and the C1 set, whose U+009B starts a sequence as ESC [ does
        0x061C,
        0x200E,
        0x200F,
        0x2028,
        0x2029,
        *range(0x202A, 0x202F),
        *range(0x2066, 0x206A),  # order and line breaks
        0x00AD,
        0x200B,
        0x2060,
        0xFEFF,  # invisible: two texts that look the same must be the same
    )
} | {code: f"\\udb40\\u{0xDC00 + code % 0x400:04x}" for code in range(0xE0000, 0xE0080)}  # invisible tags


def escape_controls(text: str) -> str:
    r"""Escape characters that act on a terminal or reorder a line, as JSON writes them: `\u001b`."""
    return text if text.isascii() and text.isprintable() else text.translate(_CONTROLS)


def escape_line(text: str) -> str:
    """Escape line breaks as well: a text of somebody else's must not look like a line of ours."""
    return escape_controls(text).replace("\n", "\\n")


def encode_document(document: Any) -> bytes:
    """Encode a document for people and scripts as JSON; a named tuple or a struct becomes an object."""
    return escape_controls(orjson.dumps(document, default=_to_builtin).decode()).encode()


def _to_builtin(value: Any) -> Any:
    return msgspec.structs.asdict(value) if isinstance(value, msgspec.Struct) else value._asdict()


def suggest_similar(word: str, known: Iterable[str], *, prefix: str = "", cutoff: float = 0.6) -> str:
    """Ask whether the most similar word was meant: `did you mean track?`; empty if none is similar.

    Args:
        word: What was written.
        known: What could have been.
        prefix: Is written before the word.
        cutoff: How similar it has to be, from 0 to 1.
    """
    similar = get_close_matches(word, list(known), n=1, cutoff=cutoff)
    return f"did you mean {prefix}{similar[0]}?" if similar else ""


def format_count(number: int, noun: str) -> str:
    """Format a count with its noun: `1 broker`, `2 brokers`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def format_time(milliseconds: int) -> str:
    """Format a time in milliseconds since the epoch, in UTC, to the second."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def format_duration(milliseconds: float) -> str:
    """Format a duration in its two largest units: `1d 3h`, `12.3s`."""
    seconds = milliseconds / 1000
    if abs(seconds) < 60:  # noqa: PLR2004 - of a minute
        return f"{seconds:.1f}".removesuffix(".0") + "s"
    parts: list[str] = []
    rest = int(abs(seconds))
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)):
        count, rest = divmod(rest, size)
        if count or parts:
            parts.append(f"{count}{unit}")
    return ("-" if seconds < 0 else "") + " ".join(part for part in parts[:2] if not part.startswith("0"))
