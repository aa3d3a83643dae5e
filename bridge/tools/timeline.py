"""What `trace` found, as people read it and as scripts do. Nothing is fetched or decided here."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from rich.console import Console, Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from bridge.core.delivery import OUTCOMES, rfc3339
from bridge.core.entries import Report, Sent
from bridge.tools import story as stories
from bridge.tools.output import clock, console, lasting, styled, table
from bridge.tools.search import Gathered, Letter
from bridge.tools.story import Step, Story
from bridge.tracker.timetable import Timetable
from bridge.wording import counted

MOST_ATTEMPTS = 100
"""Of a recipient: the latest ones are shown."""

MOST_BYTES = 2_000
"""Of a dead letter's value."""


class Told(NamedTuple):
    """One attempt, ready to be shown."""

    gathered: Gathered
    story: Story
    now: str


class Found(NamedTuple):
    """An answer."""

    asked: str
    told: tuple[Told, ...]
    sents: tuple[Told, ...] = ()
    """A recipient's attempts."""
    letters: tuple[Letter, ...] = ()
    """Dead letters about something that became no attempt."""
    all: bool = False
    """Whether all of the journal was read, so that no attempt is missing."""
    left_out: int = 0
    since: int = 0
    read: int = 0
    seconds: float = 0.0


def now_of(gathered: Gathered, story: Story, timetable: Timetable, now: int) -> str:
    """What is true of an attempt now, in a sentence."""
    if any(step.outcome is None and step.why == stories.WAITING for step in story.steps):
        return "the tracker hasn't folded all of it yet: is the service running?"
    return stories.now_of(gathered.key, gathered.state, timetable, now)


# --- for scripts ------------------------------------------------------------------------------------------------------


def document(found: Found) -> dict[str, Any]:
    """The answer as JSON."""
    return {
        "asked": found.asked,
        "attempts": [_attempt(told) for told in (*found.told, *found.sents)],
        "dead_letters": [_letter(letter) for letter in found.letters],
        "complete": found.all,
        "left_out": found.left_out,
        "since": rfc3339(max(0, found.since)),
        "records_read": found.read,
        "seconds": round(found.seconds, 3),
    }


def _attempt(told: Told) -> dict[str, Any]:
    gathered, story = told.gathered, told.story
    return {
        "attempt": gathered.key,
        "message_id": story.message_id,
        "now": told.now,
        "state": None if gathered.state is None else gathered.state._asdict(),
        "journal_partition": gathered.partition,
        "timeline": [_step(step, story) for step in story.steps],
        "agrees": story.agrees,
        "events": [{"partition": p.partition, "offset": p.offset, "event": p.event} for p in story.published],
        "dead_letters": [_letter(letter) for letter in gathered.letters],
    }


def _step(step: Step, story: Story) -> dict[str, Any]:
    return {
        "at": rfc3339(step.at),
        "source": step.source,
        "offset": step.offset,
        "decision": step.outcome,
        "why": step.why,
        "published": [
            {"event_id": event["event_id"], "status": event["status"], "sequence": event["sequence"], **_place(e)}
            for event in step.events
            for e in [_where(story, event)]
        ],
        "entry": step.entry._asdict() if step.entry else None,
    }


def _where(story: Story, event: Mapping[str, Any]) -> stories.Published | None:
    return next((one for one in story.published if one.event["event_id"] == event["event_id"]), None)


def _place(published: stories.Published | None) -> dict[str, int | None]:
    return {"partition": published and published.partition, "offset": published and published.offset}


def _letter(letter: Letter) -> dict[str, Any]:
    value = letter.value[:MOST_BYTES].decode("utf-8", "replace")
    return {"partition": letter.partition, "offset": letter.offset, "headers": letter.headers, "value": value}


# --- for people -------------------------------------------------------------------------------------------------------


def show(found: Found) -> None:
    """The answer on a terminal, or as plain text."""
    out = console()
    if found.sents:
        _show_recipient(out, found)
    for told in found.told:
        out.print(_shown(told))
    if found.letters:
        out.print(Text(f"{found.asked}: no attempt, but dead letters", "bold"))
        out.print(_letters(found.letters))
    if not (found.told or found.sents or found.letters):
        out.print(styled(f"{found.asked}: nothing since {clock(max(0, found.since))}", "warning"))
        out.print("Is the id complete? --since looks further back, as far as the topics reach.")
    cost = (
        f"{counted(found.read, 'record')} read in {lasting(1000 * found.seconds)}, since {clock(max(0, found.since))}"
    )
    if found.told and not found.all and ":" not in found.asked:
        cost += "; attempts that have no event yet: --thorough"
    out.print(Text(cost, "dim"))


def _shown(told: Told) -> Group:
    gathered, story = told.gathered, told.story
    head = Text.assemble(("message ", "dim"), (story.message_id or "?", "bold"), ("   attempt ", "dim"), gathered.key)
    sent = next((step.entry for step in story.steps if isinstance(step.entry, Sent)), None)
    parts: list[Any] = [head]
    if sent:
        to = f" to {sent.recipient}" if sent.recipient else ""
        parts.append(Text(f"sent {clock(sent.sent_at)}{to}", "dim"))
    parts += [_now(told), _steps(story, sent)]
    if not story.agrees:
        parts.append(_disagreement(story))
    if gathered.letters:
        parts += [Text("dead letters", "bold"), _letters(gathered.letters)]
    return Group(*parts, Text(""))


def _now(told: Told) -> Text:
    last = told.story.published[-1].event if told.story.published else None
    return Text.assemble(("now  ", "dim"), styled(told.now, str(last["outcome"]) if last else ""))


def _steps(story: Story, sent: Sent | None) -> Padding:
    made = Table("when", "after", "what", box=None, pad_edge=False, header_style="bold")
    made.add_column("said", overflow="fold")
    made.add_column("decided", overflow="fold", min_width=30)
    for step in story.steps:
        after = lasting(step.at - sent.sent_at) if sent else ""
        made.add_row(clock(step.at)[5:], after, step.source, _said(step), _decided(step, story))
    return Padding(made, (1, 0, 0, 2))


def _said(step: Step) -> Text:
    entry = step.entry
    if isinstance(entry, Report):
        said = Text(entry.provider_status or "")
        if entry.provider_code:
            said.append(f" ({entry.provider_code})")
        said.append(f"\n{entry.raw}", "dim")
        return said
    return Text(f"to {entry.provider}, account {entry.account}" if isinstance(entry, Sent) else "")


def _decided(step: Step, story: Story) -> Text:
    if not step.events:
        text = Text(step.why, "dim" if step.why.startswith("ignored") else "")
    else:
        text = Text(step.why)
        for event in step.events:
            text.append(" → ")
            text.append_text(styled(event["status"], OUTCOMES[event["status"]].value))
            text.append(" final" if event["final"] else "")
            text.append(f" #{event['sequence']}")
            where = _where(story, event)
            text.append(f" at {where.partition}/{where.offset}" if where else " (not in sms.delivery)", "dim")
    if step.offset is not None:
        text.append(f"\njournal offset {step.offset}", "dim")
    return text


def _disagreement(story: Story) -> Text:
    return styled(
        "What was published is not what these entries come to under today's settings; published were: "
        + ", ".join(f"#{one.event['sequence']} {one.event['status']}" for one in story.published),
        "warning",
    )


def _letters(letters: Iterable[Letter]) -> Padding:
    rows = [
        (
            letter.headers.get("received_at", "")[:19],
            styled(letter.headers.get("reason", "?"), "wrong"),
            f"{letter.headers.get('error', '')}\n{letter.value[:MOST_BYTES].decode('utf-8', 'replace')}",
            f"{letter.partition}/{letter.offset}",
        )
        for letter in letters
    ]
    return Padding(table(("when", "reason", "what", "at"), rows), (0, 0, 0, 2))


def _show_recipient(out: Console, found: Found) -> None:
    rows = []
    for told in found.sents:
        sent = next(step.entry for step in told.story.steps if isinstance(step.entry, Sent))
        rows.append((clock(sent.sent_at), sent.message_id, told.gathered.key, _now(told)[5:]))
    out.print(Text(f"{counted(len(found.sents), 'attempt')} to {found.asked}", "bold"))
    out.print(Padding(table(("sent", "message", "attempt", ""), rows), (0, 0, 0, 2)))
    if found.left_out:
        out.print(styled(f"{found.left_out} earlier ones are left out; narrow with --since", "warning"))
