"""What `trace` found, as people read it. Nothing is fetched or decided here."""

from collections.abc import Iterable
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from bridge.core.delivery import OUTCOMES
from bridge.core.entries import Report, Sent
from bridge.core.timestamps import format_rfc3339
from bridge.dead_letters import DeadLetter
from bridge.history.letter_selection import MAX_VALUE_BYTES
from bridge.history.lookup import AttemptTrace, TraceResult
from bridge.history.recipient_forms import REGION_SETTING, is_phone_number
from bridge.history.refold import Timeline, TimelineStep
from bridge.text import format_count, format_duration, format_time
from bridge.tools.output import make_table, stdout_console, style_text


def show_traces(found: TraceResult) -> None:
    """Show what was found, on a terminal or as plain text."""
    out = stdout_console()
    if found.sents:
        _show_recipient(out, found)
    for trace in found.traces:
        out.print(_render_trace(trace))
    if found.letters:
        out.print(Text(f"{found.asked}: no attempt, but dead letters", "bold"))
        out.print(_render_letters(found.letters))
    if not (found.traces or found.sents or found.letters):
        out.print(style_text(f"{found.asked}: nothing since {format_time(max(0, found.since))}", "warning"))
        out.print(_advise(found))
    since, duration = format_time(max(0, found.since)), format_duration(1000 * found.seconds)
    cost = f"{format_count(found.read, 'record')} read in {duration}, since {since}"
    if found.traces and not found.all and ":" not in found.asked:
        cost += "; attempts that have no event yet: --thorough"
    out.print(Text(cost, "dim"))


def _advise(found: TraceResult) -> str:
    """Say what else to try for what wasn't found."""
    further = "--since looks further back, as far as the topics reach."
    if found.providers:
        named = found.asked.partition(":")[0]
        return f"{named} isn't a configured provider; there is {', '.join(found.providers)}. {further}"
    if is_phone_number(found.asked):
        return f"A phone number is found by --recipient, in national form with {REGION_SETTING}. {further}"
    return f"Ids are compared as a whole, and with their case; the status page also finds their beginning. {further}"


def _render_trace(trace: AttemptTrace) -> Group:
    history, timeline = trace.history, trace.timeline
    head = Text.assemble(("message ", "dim"), timeline.message_id or "?", ("   attempt ", "dim"), history.key)
    sent = timeline.sent
    parts: list[Any] = [Text(trace.summary, "bold"), head]
    if sent:
        to = f" to {sent.recipient}" if sent.recipient else ""
        parts.append(Text(f"sent {format_time(sent.sent_at)}{to}", "dim"))
    parts += [Text.assemble(("now  ", "dim"), _render_now(trace)), _render_steps(timeline, sent)]
    if not timeline.agrees:
        parts.append(_render_disagreement(timeline))
    if history.letters:
        parts += [Text("dead letters", "bold"), _render_letters(history.letters)]
    return Group(*parts, Text(""))


def _render_now(trace: AttemptTrace) -> Text:
    events = trace.timeline.events
    return style_text(trace.now, str(events[-1]["outcome"]) if events else "")


def _render_steps(timeline: Timeline, sent: Sent | None) -> Padding:
    made = Table("when", "after", "what", box=None, pad_edge=False, header_style="bold")
    made.add_column("reported", overflow="fold")
    made.add_column("decided", overflow="fold", min_width=30)
    for step in timeline.steps:
        after = format_duration(step.at - sent.sent_at) if sent else ""
        made.add_row(
            format_time(step.at)[5:], after, step.source, _render_report(step), _render_decision(step, timeline)
        )
    return Padding(made, (1, 0, 0, 2))


def _render_report(step: TimelineStep) -> RenderableType:
    entry = step.entry
    if isinstance(entry, Report):
        said = Text(entry.provider_status or "")
        if entry.provider_code:
            said.append(f" ({entry.provider_code})")
        return Group(said, Text(entry.raw, "dim"))
    return Text(f"to {entry.provider}, account {entry.account}" if isinstance(entry, Sent) else "")


def _render_decision(step: TimelineStep, timeline: Timeline) -> RenderableType:
    if not step.events:
        text = Text(step.why, "dim" if step.why.startswith("ignored") else "")
    else:
        text = Text(step.why)
        for event in step.events:
            text.append(" → ")
            text.append_text(style_text(event["status"], OUTCOMES[event["status"]].value))
            text.append(" final" if event["final"] else "")
            text.append(f" #{event['sequence']}")
            where = timeline.find_published(event["event_id"])
            text.append(f" at {where.partition}/{where.offset}" if where else " (not in sms.delivery)", "dim")
    return text if step.offset is None else Group(text, Text(f"journal offset {step.offset}", "dim"))


def _render_disagreement(timeline: Timeline) -> Text:
    return style_text(
        "The published events differ from what these entries give under today's settings; sms.delivery has "
        + (", ".join(f"#{one.event['sequence']} {one.event['status']}" for one in timeline.published) or "none"),
        "warning",
    )


def _render_letters(letters: Iterable[DeadLetter]) -> Padding:
    rows = [
        (
            format_rfc3339(letter.received_at)[:19],
            style_text(letter.reason or "?", "wrong"),
            Group(Text(letter.error), Text(letter.value[:MAX_VALUE_BYTES].decode("utf-8", "replace"))),
            f"{letter.partition}/{letter.offset}",
        )
        for letter in letters
    ]
    return Padding(make_table(("when", "reason", "what", "at"), rows), (0, 0, 0, 2))


def _show_recipient(out: Console, found: TraceResult) -> None:
    rows = []
    for trace in found.sents:
        sent = trace.refused or trace.timeline.sent
        if sent:
            now = Text(f"refused: it belongs to {trace.timeline.message_id}") if trace.refused else _render_now(trace)
            rows.append((format_time(sent.sent_at), sent.message_id, trace.history.key, now))
    out.print(Text(f"{format_count(len(found.sents), 'attempt')} to {found.asked}", "bold"))
    out.print(Padding(make_table(("sent", "message", "attempt", ""), rows), (0, 0, 0, 2)))
    if found.left_out:
        out.print(style_text(f"{found.left_out} earlier ones are left out; narrow with --since", "warning"))
