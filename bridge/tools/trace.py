"""`sms-bridge trace`: what happened to a message, an attempt, or a recipient's messages."""

from contextlib import nullcontext

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from bridge.history.document import make_document
from bridge.history.lookup import TraceQuery, find_traces
from bridge.settings.model import Settings
from bridge.tools.output import ExitCode, stderr_console, write_json
from bridge.tools.trace_view import show_traces


async def trace_messages(settings: Settings, query: TraceQuery, *, as_json: bool) -> ExitCode:
    """Find and show.

    Raises:
        ConfigurationError: Recipients aren't kept, or the topics can't be read.
    """
    bar = Progress(
        TextColumn("reading the journal"),
        BarColumn(),
        TextColumn("{task.completed:,.0f} of {task.total:,.0f} entries"),
        TimeElapsedColumn(),
        console=stderr_console(),
        transient=True,
    )
    shown = stderr_console().is_terminal and not as_json
    with bar if shown else nullcontext():
        task = bar.add_task("", total=None, visible=False)
        found = await find_traces(settings, query, lambda n, of: bar.update(task, completed=n, total=of, visible=True))
    write_json(make_document(found)) if as_json else show_traces(found)
    return ExitCode.FINE if found.traces or found.sents or found.letters else ExitCode.WRONG
