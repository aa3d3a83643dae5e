"""How commands speak: tables and colours for people on a terminal, JSON for scripts, exit codes for both."""

import errno
import re
import sys
from collections.abc import Iterable, Sequence
from enum import IntEnum
from typing import IO, Any, TextIO, cast

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from bridge.text import encode_document, escape_controls, escape_line

WIDE_ENOUGH = 200
"""Columns that text gets where no terminal bounds it, so that scripts and files don't see broken lines."""


class ExitCode(IntEnum):
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


def stdout_console() -> Console:
    """Standard output for people; colours only on a terminal."""
    return _console(sys.stdout)


def stderr_console() -> Console:
    """Standard error for people: progress, remarks."""
    return _console(sys.stderr)


class _SafeConsole(Console):
    """A console on which no shown text can act: what providers and senders wrote may hold escape sequences.

    A text is one line, whatever is in it: a part of it must not look like a line of the command's.
    """

    def on_broken_pipe(self) -> None:
        """Let whoever runs the command end it quietly: what reads its output, such as `head`, has enough."""
        raise BrokenPipeError(errno.EPIPE, "nobody reads the output any more")

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Render with control characters and line breaks of texts escaped, except the console's own."""
        if isinstance(renderable, str):
            renderable = escape_line(renderable)
        elif isinstance(renderable, Text) and "\n" in renderable.plain:
            renderable = Text(escape_line(renderable.plain), renderable.style)
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(escape_controls(segment.text), segment.style)


def _console(stream: Any) -> Console:
    if stream.isatty():
        return _SafeConsole(file=stream, highlight=False, emoji=False)
    return _SafeConsole(
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


def make_table(columns: Sequence[str], rows: Iterable[Sequence[RenderableType]]) -> Table:
    """A plain table; what is in it is shown as it is, brackets and all."""
    made = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        made.add_column(column, overflow="fold")
    for row in rows:
        made.add_row(*(Text(cell) if isinstance(cell, str) else cell for cell in row))
    return made


def style_text(text: str, kind: str) -> Text:
    """A text in the style of its kind."""
    return Text(text, STYLES.get(kind, ""))
