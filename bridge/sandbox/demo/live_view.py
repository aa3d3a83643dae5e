"""The demo's view on a terminal: redrawn several times per second, with a panel of results at the end.

Only the layout is here; the figures come from `run_stats.py` and `verification.py`. Fits 80 columns by 24 lines.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console, ConsoleDimensions, Group, RenderableType
from rich.layout import Layout
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from bridge.core.delivery import OUTCOMES, Outcome, Source, Status
from bridge.sandbox.demo.kept_run import KeptRun
from bridge.sandbox.demo.plain_view import sum_counts, summarize_percentiles
from bridge.sandbox.demo.run_stats import RunStats
from bridge.sandbox.demo.sent_producer import PROVIDERS
from bridge.sandbox.demo.verification import EXPECTED_DEAD_LETTERS, Event, VerificationResult, Violation

COLOURS: Mapping[str, str] = {
    Outcome.IN_PROGRESS: "cyan",
    Outcome.DELIVERED: "green",
    Outcome.NOT_DELIVERED: "red",
    Outcome.UNKNOWN: "yellow",
}
SHOWN_STATUSES = tuple(status for status in Status if status is not Status.SCHEDULED)
"""The simulated providers never report `scheduled`."""

HEAD_LINES, MIDDLE_LINES, BORDER_LINES = 3, len(SHOWN_STATUSES) + 3, 2
"""Heights of the view's parts; the events get the remaining lines."""

WIDE_COLUMNS = 120
"""A terminal as wide shows more of each event: the provider's id, and how long it took."""

MAX_FINDINGS = 12
"""How many violations the result panel lists."""

VIOLATION_TEXTS: Mapping[Violation, str] = {
    Violation.LOST: "lost",
    Violation.WRONG: "wrong",
    Violation.DUPLICATED: "published twice",
    Violation.GAPS: "with missing sequence numbers",
    Violation.MOVED_BACK: "with a status that moved back",
    Violation.UNLINKED: "with a wrong correction",
    Violation.UNEXPECTED: "never sent",
    Violation.DEAD_LETTERS: "unexpected counts of dead letters",
}
ALWAYS_SHOWN = frozenset({Violation.LOST, Violation.WRONG, Violation.DUPLICATED})
"""Shown even if the count is 0."""


class LiveView:
    """Draws on the terminal. Implements `View`."""

    interval_seconds = 0.2

    def __init__(self) -> None:
        self._console = Console()
        self._live: Live | None = None
        self._title = ""

    def show_phase(self, text: str) -> None:
        """Print the phase; the latest one stays as the live view's title."""
        self._title = text
        self._console.print(Text.assemble(("▸ ", "bold cyan"), text), soft_wrap=True)

    def show_progress(self, stats: RunStats) -> None:
        """Redraw. This runs in the event loop's thread, so the statistics don't change meanwhile."""
        if self._live is None:
            self._live = Live(console=self._console, screen=True, auto_refresh=False)
            self._live.start()
        self._live.update(render_progress(stats, self._title, self._console.size), refresh=True)

    def show_result(self, result: VerificationResult, summary: Mapping[str, Any]) -> None:
        """Print the result panel."""
        self.close()
        self._console.print(render_result(result, summary))

    def show_kept(self, kept: KeptRun) -> None:
        """Print what can be tried, each on a line of its own to be copied."""
        self._console.print(Text("Everything still runs, until Ctrl-C. Try in another terminal:", "bold"))
        for line in (*kept.commands, f"the status page: {kept.page}"):
            self._console.print(Text(f"  {line}"), soft_wrap=True)

    def close(self) -> None:
        """Release the terminal."""
        if self._live is not None:
            self._live.stop()
            self._live = None


def render_progress(stats: RunStats, title: str, size: ConsoleDimensions) -> RenderableType:
    """Return the whole view for a terminal of this size."""
    layout, middle = Layout(), Layout(name="middle", size=MIDDLE_LINES)
    middle.split_row(Layout(_render_statuses(stats), size=33), Layout(_render_numbers(stats)))
    lines = max(1, size.height - HEAD_LINES - MIDDLE_LINES - BORDER_LINES)
    events = _render_events(list(stats.recent)[-lines:], wide=size.width >= WIDE_COLUMNS)
    layout.split_column(Layout(_render_head(stats, title), size=HEAD_LINES), middle, Layout(events))
    return layout


def _render_head(stats: RunStats, title: str) -> RenderableType:
    line = Table.grid(expand=True, padding=(0, 1))
    line.add_column()
    line.add_column(justify="right")
    rates = f"{stats.events_per_second:.0f} events/s   {stats.seconds:.0f} s"
    line.add_row(Text(f" {title}", "bold"), Text(rates, "dim"))
    bars = Table.grid(expand=True, padding=(0, 1))
    bars.add_column(width=6, justify="right")
    bars.add_column(ratio=1)
    bars.add_column(width=2 * len(str(stats.messages)) + 1, justify="right")
    for name, count, colour in (("sent", stats.sent, "cyan"), ("ended", len(stats.ended), "green")):
        bar = ProgressBar(stats.messages, count, complete_style=colour, finished_style=colour)
        bars.add_row(name, bar, f"{count}/{stats.messages}")
    return Group(line, bars)


def _render_statuses(stats: RunStats) -> RenderableType:
    table = Table(box=None, expand=True, padding=(0, 1, 0, 0), header_style="dim")
    table.add_column("now")
    for provider in PROVIDERS:
        table.add_column(provider, justify="right")
    for status in SHOWN_STATUSES:
        colour = COLOURS[OUTCOMES[status]]
        counts = (stats.statuses.get(provider, Counter())[status] for provider in PROVIDERS)
        table.add_row(Text(status, colour), *(Text(str(count), "" if count else "dim") for count in counts))
    return Panel(table, title="messages", box=box.ROUNDED, border_style="dim", padding=(0, 0, 0, 1))


def _render_numbers(stats: RunStats) -> RenderableType:
    bridge = stats.bridge_counts
    table = Table.grid(padding=(0, 1, 0, 0))
    table.add_column(style="dim", min_width=10, no_wrap=True)
    table.add_column(no_wrap=True, overflow="ellipsis")
    suppressed = ((bridge.get(f"reports.{name}", 0), name) for name in ("duplicate", "stale", "late"))
    dead_letters = sum_counts(bridge, "dead_letters")
    table.add_row("sources", _join_counts((stats.sources[source], source) for source in Source))
    table.add_row("received", _join_counts([(sum_counts(bridge, "callbacks"), "callbacks")]))
    table.add_row(
        "polled", _join_counts([(sum_counts(bridge, "polls"), "polls"), (bridge.get("polls.report", 0), "reports")])
    )
    table.add_row("suppressed", _join_counts(suppressed))
    table.add_row("parked", _join_counts([(bridge.get("reports.parked", 0), "before the sent event")]))
    table.add_row("published", _join_counts([(len(stats.events), "events"), (stats.corrections, "corrections")]))
    table.add_row(
        "failed",
        Text.assemble(
            (str(dead_letters), "bold red" if dead_letters > sum(EXPECTED_DEAD_LETTERS.values()) else ""),
            (" dead letters", "dim"),
        ),
    )
    table.add_row("sent→final", _format_percentiles(stats.sent_to_final_seconds))
    table.add_row("seen→read", _format_percentiles(stats.observed_to_read_seconds))
    return Panel(table, title="bridge", box=box.ROUNDED, border_style="dim", padding=(0, 0, 0, 1))


def _join_counts(counts: Iterable[tuple[int, str]]) -> Text:
    return Text("  ").join(Text.assemble(str(count), (f" {name}", "dim")) for count, name in counts)


def _format_percentiles(values: list[float]) -> Text:
    percentiles = summarize_percentiles(values)
    return Text("  ").join(
        Text.assemble((f"{name} ", "dim"), _format_duration(value)) for name, value in percentiles.items()
    )


def _format_duration(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    return f"{seconds * 1000:.0f}ms" if seconds < 1 else f"{seconds:.1f}s"


def _render_events(events: Sequence[Event], *, wide: bool) -> RenderableType:
    table = Table.grid(padding=(0, 2), expand=True)
    for width in (8, 9, 9, 11, 2, 8, *((36, 6) if wide else ())):
        table.add_column(width=width, no_wrap=True)
    table.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
    for event in events:
        detail = event["provider_status"] or event["reason"]
        table.add_row(
            Text(event["observed_at"][11:19], "dim"),
            event["message_id"],
            event["provider"],
            Text(event["status"], f"bold {COLOURS[event['outcome']]}" if event["final"] else COLOURS[event["outcome"]]),
            f"#{event['sequence']}",
            event["source"],
            *((event["provider_message_id"], _format_duration(event["latency_seconds"])) if wide else ()),
            Text.assemble(("corrects ", "magenta") if event["corrects"] else "", (detail, "dim")),
        )
    return Panel(table, title="sms.delivery", box=box.ROUNDED, border_style="dim", padding=(0, 1))


def render_result(result: VerificationResult, summary: Mapping[str, Any]) -> RenderableType:
    """Return the result panel."""
    colour = "green" if result.ok else "red"
    counts = {violation: result.count_messages_with(violation) for violation in VIOLATION_TEXTS}
    head = Text.assemble(
        (f"{result.messages} messages, {result.ended} ended", "bold"),
        *(
            (f", {count} {VIOLATION_TEXTS[violation]}", "bold red" if count else "green")
            for violation, count in counts.items()
            if count or violation in ALWAYS_SHOWN
        ),
    )
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="dim")
    facts.add_column()
    suppressed = ", ".join(f"{count} {name}" for name, count in summary["suppressed"].items())
    facts.add_row("published", f"{result.events} events in {summary['seconds']} s, {result.corrections} corrections")
    facts.add_row("sources", ", ".join(f"{summary[source]} {source}" for source in Source))
    facts.add_row("suppressed", suppressed)
    facts.add_row("dead letters", str(summary["dead_letters"]))
    for name, member in (("sent→final", "sent_to_final_seconds"), ("seen→read", "told_to_read_seconds")):
        facts.add_row(
            name, "  ".join(f"{percentile} {_format_duration(value)}" for percentile, value in summary[member].items())
        )
    violations = [Text(str(finding), "red") for finding in result.findings[:MAX_FINDINGS]]
    title = "Every message got the expected events" if result.ok else "Verification failed"
    return Panel(Group(head, "", facts, *violations), title=title, box=box.ROUNDED, border_style=colour, padding=(0, 1))
