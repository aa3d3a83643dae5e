"""Shows bytes from outside to a person: as text if they are one, else in hexadecimal; never all of a giant. Pure."""

from typing import NamedTuple

from bridge.text import escape_controls

MAX_SHOWN_BYTES = 16 * 1024

BYTES_PER_LINE = 16

_ALLOWED_CONTROLS = frozenset("\t\r\n")


class ByteView(NamedTuple):
    """What is shown of some bytes."""

    text: str | None
    """With invisible and reordering characters escaped; None if the bytes are no text."""
    hex: str | None
    """Lines of an offset, the bytes and their ASCII characters; None if the bytes are text."""
    size: int
    """Bytes in all."""
    shown: int
    """Bytes that are shown, from the first one on."""


def view_bytes(value: bytes) -> ByteView:
    """Make what is shown of some bytes."""
    shown = value[:MAX_SHOWN_BYTES]
    text = _decode(shown, is_cut=len(shown) < len(value))
    if text is None:
        return ByteView(None, _dump(shown), len(value), len(shown))
    return ByteView(escape_controls(text.replace("\r\n", "\n")), None, len(value), len(shown))


def _decode(shown: bytes, *, is_cut: bool) -> str | None:
    """Decode UTF-8 without control characters, of which the last character may be cut off."""
    for missing in range(4 if is_cut else 1):
        try:
            text = shown[: len(shown) - missing].decode()
        except UnicodeDecodeError:
            continue
        return None if any(char < " " and char not in _ALLOWED_CONTROLS for char in text) else text
    return None


def _dump(shown: bytes) -> str:
    lines = []
    for start in range(0, len(shown), BYTES_PER_LINE):
        line = shown[start : start + BYTES_PER_LINE]
        ascii_text = "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in line)  # noqa: PLR2004 - printable ASCII
        lines.append(f"{start:08x}  {line.hex(' ', 1):<{3 * BYTES_PER_LINE - 1}}  {ascii_text}")
    return "\n".join(lines)
