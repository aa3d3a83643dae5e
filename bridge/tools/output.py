"""How commands speak: tables and colours for people on a terminal, JSON for scripts, exit codes for both."""

import re
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from enum import IntEnum
from typing import IO, Any, TextIO, cast

from rich.console import Console
from rich.table import Table
from rich.text import Text

from bridge.codec import encode_document

WIDE_ENOUGH = 200
"""Columns that text gets where no terminal bounds it, so that scripts and files don't see broken lines."""


class Exit(IntEnum):
    """What a script can tell from the exit code."""

    FINE = 0
    WRONG = 1
    """Something was found to be wrong, or could not be done."""
    USAGE = 2
    """The command itself was wrong: typer's own."""


STYLES = {
    "ok": "green",
    "warning": "yellow",
    "wrong": "bold red",
    "delivered": "green",
    "in_progress": "cyan",
    "not_delivered": "red",
    "unknown": "yellow",
}
"""By finding and by outcome."""


def console() -> Console:
    """Standard output for people; colours only on a terminal."""
    return _console(sys.stdout)


def notices() -> Console:
    """Standard error for people: progress, remarks."""
    return _console(sys.stderr)


def _console(stream: Any) -> Console:
    if stream.isatty():
        return Console(file=stream, highlight=False, emoji=False)
    return Console(
        file=cast("IO[str]", _Trimmed(stream)), width=WIDE_ENOUGH, highlight=False, soft_wrap=True, emoji=False
    )


class _Trimmed:
    """A file that gets no blanks at the ends of lines, which tables are full of."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        return self._stream.write(re.sub(" +$", "", text, flags=re.MULTILINE))

    def flush(self) -> None:
        self._stream.flush()

    def isatty(self) -> bool:
        return False


def write_json(document: Any) -> None:
    """One JSON document on a line of standard output."""
    sys.stdout.write(encode_document(document).decode() + "\n")
    sys.stdout.flush()


def table(columns: Sequence[str], rows: Iterable[Sequence[str | Text]]) -> Table:
    """A plain table; what is in it is shown as it is, brackets and all."""
    made = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        made.add_column(column, overflow="fold")
    for row in rows:
        made.add_row(*(cell if isinstance(cell, Text) else Text(cell) for cell in row))
    return made


def styled(text: str, kind: str) -> Text:
    """A text in the style of its kind."""
    return Text(text, STYLES.get(kind, ""))


def clock(milliseconds: int) -> str:
    """A moment as people read it, in UTC, to the second."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def lasting(milliseconds: float) -> str:
    """How long something takes, in its two largest units: `1d 3h`, `12.3s`."""
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
