"""The demo on a terminal: a picture that is drawn anew a few times a second, and a panel at the end.

Only how things look: what is counted is in `tally.py`, what is right in `verdict.py`. Fits 80 columns by 24 lines.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console, Group, RenderableType
from rich.layout import Layout
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from bridge.core.delivery import OUTCOMES, Outcome, Source, Status
from bridge.sandbox.demo.plain_view import percentiles, total
from bridge.sandbox.demo.run_stats import RunStats
from bridge.sandbox.demo.sent_producer import PROVIDERS
from bridge.sandbox.demo.verification import Event, VerificationResult, Violation

COLOURS: Mapping[str, str] = {
    Outcome.IN_PROGRESS: "cyan",
    Outcome.DELIVERED: "green",
    Outcome.NOT_DELIVERED: "red",
    Outcome.UNKNOWN: "yellow",
}
SHOWN = tuple(status for status in Status if status is not Status.SCHEDULED)
"""Neither simulated provider schedules anything."""

HEAD, MIDDLE, BORDER = 3, len(SHOWN) + 3, 2
"""Lines of the picture's parts; the events get the rest."""

FINDINGS = 12
"""The most that the last panel lists."""

FAULTS: Mapping[Violation, str] = {
    Violation.LOST: "lost",
    Violation.WRONG: "wrong",
    Violation.TWICE: "published twice",
    Violation.GAPS: "with gaps",
    Violation.MOVED_BACK: "moved back",
    Violation.UNLINKED: "wrongly linked",
    Violation.STRANGE: "never sent",
}
ALWAYS_SAID = frozenset({Violation.LOST, Violation.WRONG, Violation.TWICE})
"""Also when there is none."""


class LiveView:
    """Draws on the terminal. Implements `View`."""

    every = 0.2

    def __init__(self) -> None:
        self._console = Console()
        self._live: Live | None = None
        self._title = ""

    def phase(self, text: str) -> None:
        """Say what begins; the latest stays above the picture."""
        self._title = text
        self._console.print(Text.assemble(("▸ ", "bold cyan"), text), soft_wrap=True)

    def show(self, tally: RunStats) -> None:
        """Draw it anew. In the caller's thread: nothing changes meanwhile."""
        if self._live is None:
            self._live = Live(console=self._console, screen=True, auto_refresh=False)
            self._live.start()
        self._live.update(picture(tally, self._title, self._console.height), refresh=True)

    def result(self, comparison: VerificationResult, summary: Mapping[str, Any]) -> None:
        """Say how it ended."""
        self.close()
        self._console.print(ending(comparison, summary))

    def close(self) -> None:
        """Give the terminal back."""
        if self._live is not None:
            self._live.stop()
            self._live = None


def picture(tally: RunStats, title: str, height: int) -> RenderableType:
    """All of it, for a terminal with so many lines."""
    layout, middle = Layout(), Layout(name="middle", size=MIDDLE)
    middle.split_row(Layout(_statuses(tally), size=33), Layout(_numbers(tally)))
    lines = max(1, height - HEAD - MIDDLE - BORDER)
    layout.split_column(Layout(_head(tally, title), size=HEAD), middle, Layout(_events(list(tally.recent)[-lines:])))
    return layout


def _head(tally: RunStats, title: str) -> RenderableType:
    line = Table.grid(expand=True, padding=(0, 1))
    line.add_column()
    line.add_column(justify="right")
    rates = f"{tally.events_per_second:.0f} events/s   {tally.seconds:.0f} s"
    line.add_row(Text(f" {title}", "bold"), Text(rates, "dim"))
    bars = Table.grid(expand=True, padding=(0, 1))
    bars.add_column(width=6, justify="right")
    bars.add_column(ratio=1)
    bars.add_column(width=2 * len(str(tally.messages)) + 1, justify="right")
    for name, count, colour in (("sent", tally.sent, "cyan"), ("ended", len(tally.ended), "green")):
        bar = ProgressBar(tally.messages, count, complete_style=colour, finished_style=colour)
        bars.add_row(name, bar, f"{count}/{tally.messages}")
    return Group(line, bars)


def _statuses(tally: RunStats) -> RenderableType:
    table = Table(box=None, expand=True, padding=(0, 1, 0, 0), header_style="dim")
    table.add_column("now")
    for provider in PROVIDERS:
        table.add_column(provider, justify="right")
    for status in SHOWN:
        colour = COLOURS[OUTCOMES[status]]
        counts = (tally.statuses.get(provider, Counter())[status] for provider in PROVIDERS)
        table.add_row(Text(status, colour), *(Text(str(count), "" if count else "dim") for count in counts))
    return Panel(table, title="messages", box=box.ROUNDED, border_style="dim", padding=(0, 0, 0, 1))


def _numbers(tally: RunStats) -> RenderableType:
    bridge = tally.bridge
    table = Table.grid(padding=(0, 1, 0, 0))
    table.add_column(style="dim", min_width=10, no_wrap=True)
    table.add_column(no_wrap=True, overflow="ellipsis")
    suppressed = ((bridge.get(f"reports.{name}", 0), name) for name in ("duplicate", "stale", "late"))
    letters = total(bridge, "dead_letters")
    table.add_row("learnt by", _listed((tally.sources[source], source) for source in Source))
    table.add_row("called", _listed([(total(bridge, "callbacks"), "callbacks")]))
    table.add_row("asked", _listed([(total(bridge, "polls"), "polls"), (bridge.get("polls.report", 0), "reports")]))
    table.add_row("suppressed", _listed(suppressed))
    table.add_row("early", _listed([(bridge.get("reports.parked", 0), "kept until sent")]))
    table.add_row("published", _listed([(len(tally.events), "events"), (tally.corrections, "corrections")]))
    table.add_row("set aside", Text.assemble((str(letters), "bold red" if letters else ""), (" dead letters", "dim")))
    table.add_row("sent→final", _latency(tally.to_final))
    table.add_row("told→read", _latency(tally.to_reader))
    return Panel(table, title="bridge", box=box.ROUNDED, border_style="dim", padding=(0, 0, 0, 1))


def _listed(counts: Iterable[tuple[int, str]]) -> Text:
    return Text("  ").join(Text.assemble(str(count), (f" {name}", "dim")) for count, name in counts)


def _latency(values: list[float]) -> Text:
    found = percentiles(values)
    return Text("  ").join(Text.assemble((f"{name} ", "dim"), _duration(value)) for name, value in found.items())


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    return f"{seconds * 1000:.0f}ms" if seconds < 1 else f"{seconds:.1f}s"


def _events(events: Sequence[Event]) -> RenderableType:
    table = Table.grid(padding=(0, 2), expand=True)
    for width in (8, 9, 9, 11, 2, 8):
        table.add_column(width=width, no_wrap=True)
    table.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
    for event in events:
        told = event["provider_status"] or event["reason"]
        table.add_row(
            Text(event["observed_at"][11:19], "dim"),
            event["message_id"],
            event["provider"],
            Text(event["status"], f"bold {COLOURS[event['outcome']]}" if event["final"] else COLOURS[event["outcome"]]),
            f"#{event['sequence']}",
            event["source"],
            Text.assemble(("corrects ", "magenta") if event["corrects"] else "", (told, "dim")),
        )
    return Panel(table, title="sms.delivery", box=box.ROUNDED, border_style="dim", padding=(0, 1))


def ending(comparison: VerificationResult, summary: Mapping[str, Any]) -> RenderableType:
    """The last panel."""
    colour = "green" if comparison.ok else "red"
    counts = {fault: comparison.messages_with(fault) for fault in FAULTS}
    head = Text.assemble(
        (f"{comparison.messages} messages, {comparison.ended} ended", "bold"),
        *(
            (f", {count} {FAULTS[fault]}", "bold red" if count else "green")
            for fault, count in counts.items()
            if count or fault in ALWAYS_SAID
        ),
    )
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="dim")
    facts.add_column()
    suppressed = ", ".join(f"{count} {name}" for name, count in summary["suppressed"].items())
    facts.add_row(
        "published", f"{comparison.events} events in {summary['seconds']} s, {comparison.corrections} corrections"
    )
    facts.add_row("learnt by", ", ".join(f"{summary[source]} {source}" for source in Source))
    facts.add_row("suppressed", suppressed)
    facts.add_row("dead letters", str(summary["dead_letters"]))
    for name, member in (("sent→final", "sent_to_final_seconds"), ("told→read", "told_to_read_seconds")):
        facts.add_row(name, "  ".join(f"{share} {_duration(value)}" for share, value in summary[member].items()))
    found = [Text(f"{finding.fault}: {finding.key}: {finding.what}", "red") for finding in comparison.findings]
    title = "all of sms.delivery agrees with what the providers know" if comparison.ok else "something is wrong"
    return Panel(
        Group(head, "", facts, *found[:FINDINGS]), title=title, box=box.ROUNDED, border_style=colour, padding=(0, 1)
    )
