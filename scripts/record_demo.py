"""Records `sms-bridge demo` for the README: runs it and writes what it shows as a small animated SVG.

`python -m scripts.record_demo [FILE]` writes docs/images/demo.svg by default.
"""

import asyncio
import io
import logging
import sys
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple

from rich.color import Color
from rich.console import Console, RenderableType
from rich.segment import Segment
from rich.style import Style
from rich.terminal_theme import TerminalTheme
from rich.text import Text

from bridge.sandbox.demo.demo import DemoOptions, perform
from bridge.sandbox.demo.kept_run import KeptRun
from bridge.sandbox.demo.live_view import render_progress, render_result
from bridge.sandbox.demo.run_stats import RunStats
from bridge.sandbox.demo.verification import VerificationResult

COLUMNS, ROWS = 92, 29
FRAME_INTERVAL_SECONDS = 2.0
"""The demo's time between two frames. The recording is twice as fast."""

RESULT_FRAMES = 10
"""How many frames the result stays."""

WIDTH, HEIGHT, MARGIN = 8.4, 18, 16
"""A character's size and the margin, in pixels."""

TEXT, GROUND, DIM = (215, 224, 232), (17, 23, 30), 0.55
THEME = TerminalTheme(
    GROUND,
    TEXT,
    [
        (58, 68, 78),
        (255, 123, 123),
        (95, 211, 154),
        (242, 192, 97),
        (131, 180, 248),
        (214, 150, 240),
        (83, 214, 199),
        TEXT,
    ],
)

Row = tuple[tuple[str, str], ...]
"""A line: pieces of text with their styles."""


class Recorder:
    """Records what the demo draws. Implements the demo's `View`."""

    interval_seconds = FRAME_INTERVAL_SECONDS

    def __init__(self) -> None:
        self._console = Console(
            file=io.StringIO(), width=COLUMNS, height=ROWS, force_terminal=True, color_system="truecolor"
        )
        self.frames: list[list[Row]] = []
        self._title = ""
        self._printed: list[RenderableType] = [Text("$ make demo", "bold")]
        self._record_phases()

    def show_phase(self, text: str) -> None:
        """Record the phase's line."""
        self._title = text
        self._printed.append(Text.assemble(("▸ ", "bold cyan"), text))
        self._record_phases()

    def show_progress(self, stats: RunStats) -> None:
        """Record a frame."""
        self._record([render_progress(stats, self._title, self._console.size)])

    def show_result(self, result: VerificationResult, summary: Mapping[str, Any]) -> None:
        """Record the result."""
        self._record([*self._printed, Text(""), render_result(result, summary)])

    def show_kept(self, _: KeptRun) -> None:
        """A recorded run is never kept."""

    def close(self) -> None:
        """Nothing to release."""

    def _record_phases(self) -> None:
        self._record(self._printed)

    def _record(self, shown: Sequence[RenderableType]) -> None:
        lines = [line for one in shown for line in self._console.render_lines(one, pad=False)]
        self.frames.append([_make_row(line) for line in lines[:ROWS]])


def _make_row(line: Iterable[Segment]) -> Row:
    styled = [(segment.text, _format_style(segment.style or Style())) for segment in line if segment.text]
    return tuple(("".join(text for text, _ in some), kind) for kind, some in groupby(styled, key=itemgetter(1)))


def _format_style(style: Style) -> str:
    red, green, blue = _get_rgb(style.color)
    if style.dim:
        red, green, blue = (round(g + DIM * (c - g)) for c, g in zip((red, green, blue), GROUND, strict=True))
    return f"fill:#{red:02x}{green:02x}{blue:02x}" + (";font-weight:bold" if style.bold else "")


def _get_rgb(color: Color | None) -> tuple[int, int, int]:
    return TEXT if color is None else tuple(color.get_truecolor(THEME))  # type: ignore[return-value]  # a tuple of three


class _Run(NamedTuple):
    """A row that stays the same over some frames."""

    row: Row
    row_number: int
    first: int
    """Its first frame."""
    end: int
    """The frame after its last."""


def _find_runs(frames: Sequence[Sequence[Row]]) -> list[_Run]:
    """Return each row once for as long as it stays."""
    found: list[_Run] = []
    for at in range(ROWS):
        lines = [frame[at] if at < len(frame) else () for frame in frames]
        first = 0
        for number in range(1, len(lines) + 1):
            if number == len(lines) or lines[number] != lines[first]:
                found += [_Run(lines[first], at, first, number)] if any(t.strip() for t, _ in lines[first]) else []
                first = number
    return found


def make_svg(frames: Sequence[Sequence[Row]]) -> str:
    """Return the recording; with reduced motion only its end is shown."""
    frames = [*frames, *[frames[-1]] * RESULT_FRAMES]
    runs, count = _find_runs(frames), len(frames)
    spans = sorted({(run.first, run.end) for run in runs})
    names = {span: f"s{number}" for number, span in enumerate(spans)}
    style = [
        "text{font:14px ui-monospace,'SF Mono','Cascadia Mono','DejaVu Sans Mono',monospace;white-space:pre}",
        f"g{{visibility:hidden;animation:{count * FRAME_INTERVAL_SECONDS / 2:g}s step-end infinite}}",
    ]
    for (first, end), name in names.items():
        turns = {0.0: "hidden", 100 * first / count: "visible"} | ({100 * end / count: "hidden"} if end < count else {})
        keys = "".join(f"{at:.4g}%{{visibility:{value}}}" for at, value in turns.items())
        style.append(f".{name}{{animation-name:{name}}}@keyframes {name}{{{keys}}}")
    last = ",".join(f".{name}" for (_, end), name in names.items() if end == count)
    style.append(f"@media(prefers-reduced-motion){{g{{animation:none}}{last}{{visibility:visible}}}}")
    kinds = {kind: f"c{n}" for n, kind in enumerate(sorted({kind for run in runs for _, kind in run.row}))}
    style += [f".{name}{{{kind}}}" for kind, name in kinds.items()]
    groups = [
        f'<g class="{name}">{"".join(_draw_line(run, kinds) for run in runs if (run.first, run.end) == span)}</g>'
        for span, name in names.items()
    ]
    width, height = round(COLUMNS * WIDTH + 2 * MARGIN), ROWS * HEIGHT + 2 * MARGIN
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" role="img">'
        f"<title>make demo</title><style>{''.join(style)}</style>"
        f'<rect width="{width}" height="{height}" rx="10" fill="rgb{GROUND}"/>{"".join(groups)}</svg>\n'
    )


def _draw_line(run: _Run, kinds: Mapping[str, str]) -> str:
    column, pieces = 0, []
    for text, kind in run.row:
        if text.strip():
            lead = len(text) - len(text.lstrip())
            kept = text.strip()
            x, length = MARGIN + (column + lead) * WIDTH, len(kept) * WIDTH
            place = f'x="{x:.4g}" textLength="{length:.4g}"'
            pieces.append(f"<tspan class='{kinds[kind]}' {place}>{escape(kept, quote=False)}</tspan>")
        column += len(text)
    return f'<text y="{MARGIN + 14 + run.row_number * HEIGHT}">{"".join(pieces)}</text>'


def main() -> None:
    """Run the demo and write the recording."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    target = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/images/demo.svg")
    recorder = Recorder()
    result = asyncio.run(perform(DemoOptions(), recorder))
    if not result.ok:
        sys.exit("the demo's verification failed; nothing is written")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(make_svg(recorder.frames))


if __name__ == "__main__":
    main()
