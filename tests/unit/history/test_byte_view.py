"""Bytes from outside are shown so that they mean nothing but themselves, and never all of a giant."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.history.byte_view import MAX_SHOWN_BYTES, view_bytes
from bridge.text import escape_controls


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b'{"id":"7"}', '{"id":"7"}'),
        (b"<script>alert(1)</script>", "<script>alert(1)</script>"),
        ("grün 你好".encode(), "grün 你好"),
        ("admin\u202egpj.exe".encode(), "admin\\u202egpj.exe"),
        ("a\u200bb\ufeff".encode(), "a\\u200bb\\ufeff"),
        (b"a\r\nb\tc\n", "a\nb\tc\n"),
        (b"", ""),
    ],
)
def test_text(value: bytes, text: str) -> None:
    """Characters that reorder a line or can't be seen are escaped."""
    assert view_bytes(value) == (text, None, len(value), len(value))


@pytest.mark.parametrize("value", [b"\x00\x01", b"\xff\xfe", b"\x1b[31mred", b"caf\xe9"])
def test_bytes_that_are_no_text(value: bytes) -> None:
    """They are shown in hexadecimal, as `hexdump -C` does."""
    shown = view_bytes(value)
    assert shown.text is None
    assert (shown.hex or "").split("  ")[:2] == ["00000000", value.hex(" ")]


def test_lines_of_a_dump_are_aligned() -> None:
    """Each has the offset, sixteen bytes, and what is printable of them."""
    assert (view_bytes(bytes(range(0x30, 0x43)) + b"\0").hex or "").splitlines() == [
        "00000000  30 31 32 33 34 35 36 37 38 39 3a 3b 3c 3d 3e 3f  0123456789:;<=>?",
        "00000010  40 41 42 00                                      @AB.",
    ]


def test_a_giant_is_cut_between_characters() -> None:
    """A character that the end of the view cuts in two doesn't make the text binary."""
    for lead in ("", "a", "ab"):
        value = (lead + "你" * MAX_SHOWN_BYTES).encode()
        shown = view_bytes(value)
        assert (shown.text or "").startswith(f"{lead}你你")
        assert (shown.size, shown.shown) == (len(value), MAX_SHOWN_BYTES)


@given(st.binary(max_size=200))
def test_any_bytes_are_shown(value: bytes) -> None:
    """As one of the two, without a character that acts on what shows it."""
    shown = view_bytes(value)
    text = shown.text if shown.text is not None else shown.hex
    assert text is not None
    assert escape_controls(text) == text
    if shown.hex is not None:
        assert bytes.fromhex("".join(line[10:57] for line in shown.hex.splitlines())) == value
