"""Bar charts as SVG, readable on a light and on a dark page. Pure."""

from collections.abc import Sequence
from html import escape

WIDTH, LABEL, ROW, BAR, TOP = 720, 190, 30, 20, 34
OURS, OTHERS = "#2f6fde", "#9aa4b2"
STYLE = (
    "text{font:13px system-ui,sans-serif;fill:#1f2328}.title{font-weight:600}"
    "@media(prefers-color-scheme:dark){text{fill:#e6edf3}}"
)


def draw_bars(title: str, lines: Sequence[tuple[str, float]], unit: str) -> str:
    """Return a chart of horizontal bars.

    Args:
        title: The chart's title.
        lines: Names and values; the bridge's own has another colour.
        unit: The values' unit.
    """
    height, most = TOP + ROW * len(lines) + 6, max(value for _, value in lines)
    drawn = [f'<text class="title" x="0" y="18">{escape(title)}</text>']
    for number, (name, value) in enumerate(lines):
        y = TOP + ROW * number
        width = max(1.0, value / most * (WIDTH - LABEL - 130))
        colour = OURS if name == "sms-bridge" else OTHERS
        drawn += [
            f'<text x="0" y="{y + 15}">{escape(name)}</text>',
            f'<rect x="{LABEL}" y="{y}" width="{width:.1f}" height="{BAR}" rx="3" fill="{colour}"/>',
            f'<text x="{LABEL + width + 8:.1f}" y="{y + 15}">{value:,.4g} {escape(unit)}</text>',
        ]
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">'
    return "\n".join([head, f"<title>{escape(title)}</title><style>{STYLE}</style>", *drawn, "</svg>", ""])
