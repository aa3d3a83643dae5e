"""What people read can't act on their terminal."""

import io
import json
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Group
from rich.padding import Padding
from rich.text import Text

from bridge.observability.logs import escape_values
from bridge.text import encode_document, escape_controls
from bridge.tools.output import make_table, stderr_console, stdout_console

HOSTILE = "\x1b]52;c;ZXZpbA==\x07 \x1b[2J\x9b31m \u202egnp.exe\u2066 \x7f\r\u2028"
TEXTS = st.text(st.characters(categories=("Cc", "Cf", "Zl", "Zp", "L", "N")), max_size=40)
INVISIBLE = {"\u00ad", "\u200b", "\u2060", "\ufeff", *map(chr, range(0xE0000, 0xE0080))}


def find_acting(text: str) -> set[str]:
    """Find characters that move the cursor, start a sequence or change the direction of writing."""
    bidirectional = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
    return {
        char
        for char in text
        if (unicodedata.category(char) in {"Cc", "Zl", "Zp"} and char not in "\t\n")
        or unicodedata.bidirectional(char) in bidirectional
        or char in "\u061c\u200e\u200f"
        or char in INVISIBLE
    }


@given(TEXTS)
def test_no_text_acts(text: str) -> None:
    """All controls of C0, C1 and direction are escaped; a text without any stays as it is."""
    escaped = escape_controls(text)
    assert not find_acting(escaped)
    assert find_acting(text) or escaped == text


@given(st.dictionaries(TEXTS, TEXTS))
def test_json_stays_the_same_document(document: dict[str, str]) -> None:
    """In JSON the escapes are JSON's own: a script reads what was written."""
    encoded = encode_document(document).decode()
    assert not find_acting(encoded)
    assert json.loads(encoded) == document


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
@pytest.mark.parametrize("terminal", [False, True])
def test_consoles_escape(monkeypatch: pytest.MonkeyPatch, stream: str, terminal: bool) -> None:  # noqa: FBT001
    """Tables, texts and plain strings, in a terminal and in a file; the console's own colours still work there."""
    written = io.StringIO()
    monkeypatch.setattr(written, "isatty", lambda: terminal)
    monkeypatch.setattr(sys, stream, written)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    console = stdout_console() if stream == "stdout" else stderr_console()
    console.print(make_table(("a", HOSTILE), [("x", HOSTILE), (Text(HOSTILE, "red"), "y")]))
    console.print(Text(HOSTILE, "bold"), HOSTILE)
    shown = written.getvalue()
    assert "\x1b]" not in shown
    assert "\x1b[2J" not in shown
    assert find_acting(shown) <= {"\x1b"}
    assert ("\x1b[31m" in shown) is terminal


def test_no_text_forges_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a table, in a group and by itself."""
    written, forged = io.StringIO(), "an id\r\n12:00:00  delivered  FORGED"
    monkeypatch.setattr(sys, "stdout", written)
    console = stdout_console()
    console.print(make_table(("a", "b"), [("x", forged), ("y", Group(Text(forged), Text(forged, "dim")))]))
    console.print(
        Group(Text(forged), Padding(Text(forged), (0, 0, 0, 2))), Text.assemble("sent ", (forged, "red")), forged
    )
    lines = [line.strip() for line in written.getvalue().splitlines()]
    assert sum("FORGED" in line for line in lines) == 6
    assert not [line for line in lines if line.startswith("12:00:00")]


def test_log_values_are_one_line() -> None:
    """A value can't forge a line of the console's log."""
    event = escape_values(None, "info", {"event": "poll failed", "error": HOSTILE + "\nforged", "number": 7})
    assert not find_acting(str(event["error"]))
    assert "\n" not in str(event["error"])
    assert event["number"] == 7
