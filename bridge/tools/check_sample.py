"""`sms-bridge check --sample FILE`: how an event of `sms.sent` would be read, member by member."""

from pathlib import Path
from typing import Any, NamedTuple

import orjson
from rich.text import Text

from bridge.accounts import build_accounts
from bridge.clock import now_ms
from bridge.core.entries import Sent
from bridge.core.errors import ConfigurationError, PoisonMessageError
from bridge.core.timestamps import format_rfc3339
from bridge.intake.field_mapping import SourceEvent, decode_event
from bridge.intake.sent_parser import SentParser, SkipReason
from bridge.privacy import Privacy
from bridge.schemas import load_schema
from bridge.settings.model import Settings
from bridge.tools.output import ExitCode, make_table, stdout_console, style_text, write_json


class SampleMember(NamedTuple):
    """One member of `sms.sent`."""

    name: str
    place: str | None
    """Where it was found: a pointer, `constant`, or the member's own name. None: it isn't there."""
    found: Any
    taken: Any
    wrong: str | None


def explain_sample(settings: Settings, sample: Path, *, as_json: bool) -> ExitCode:
    """Show how an event would be read.

    Args:
        settings: What the mapping is.
        sample: A file that holds the value of one record.
        as_json: As a document.

    Raises:
        ConfigurationError: The file can't be read.
    """
    if not sample.is_file():
        raise ConfigurationError(f"--sample {sample} can't be read: give the path of a file that holds one event")
    value = sample.read_bytes().strip()
    max_follow = settings.follow.max_follow
    reader = SentParser(settings.sent, build_accounts(settings), Privacy(settings.privacy), max_follow)
    try:
        event = decode_event(value)
        members = list_members(reader, event)
        outcome = reader.parse(value, now_ms())
    except PoisonMessageError as poison:
        members = list_members(reader, decode_event(value)) if poison.reason != "malformed" else []
        _show(members, f"goes to the dead letters as {poison.reason.value}: {poison.error}", None, as_json=as_json)
        return ExitCode.WRONG
    if isinstance(outcome, SkipReason):
        verdict = f"is skipped: SENT__WHERE turns it down at {reader.mapping.find_mismatch(event)}"
        _show(members, verdict, None, as_json=as_json)
        return ExitCode.WRONG
    _show(members, "is followed", outcome, as_json=as_json)
    return ExitCode.FINE


def list_members(reader: SentParser, event: SourceEvent) -> list[SampleMember]:
    """List every member of `sms.sent`, and what an event has for it."""
    sources, mapped = reader.mapping.find_sources(event), reader.mapping.map(event)
    wrong = reader.find_violations(mapped)
    known = load_schema("sms.sent.v1")
    found = []
    for name in known["properties"]:
        source = sources.get(name)
        there = source is not None and source.value is not None
        violation = next((text for where, text in wrong.items() if where.split("/")[0] == name), None)
        if not there and name in known["required"]:
            looked = source.origin if source else name
            violation = f"is required; looked for at {looked}; SENT__FIELDS or SENT__CONSTANTS say where it is"
        place = source.origin if source else None
        found.append(SampleMember(name, place, source.value if source else None, mapped.get(name), violation))
    return found


def _show(members: list[SampleMember], verdict: str, sent: Sent | None, *, as_json: bool) -> None:
    if as_json:
        write_json(
            {
                "readable": sent is not None,
                "verdict": verdict,
                "members": members,
                "entry": sent and {name: getattr(sent, name) for name in sent.__struct_fields__ if name != "v"},
            }
        )
        return
    out = stdout_console()
    out.print(make_table(("ours", "from", "value", "taken as"), (_row(member) for member in members)))
    out.print()
    out.print(style_text(f"The event {verdict}.", "ok" if sent else "wrong"))
    if sent:
        until = format_rfc3339(sent.gives_up_at)
        out.print(Text(f"Attempt {sent.key}, followed until {until}."))


def _row(member: SampleMember) -> tuple[str, str, str | Text, str | Text]:
    found = "" if member.found is None else orjson.dumps(member.found).decode()
    place = member.place or ""
    if member.wrong:
        return member.name, place, found or Text("absent", "dim"), style_text(member.wrong, "wrong")
    if member.found is None:
        return member.name, place, Text("absent", "dim"), ""
    taken = member.taken if isinstance(member.taken, str) else orjson.dumps(member.taken).decode()
    return member.name, place, found, style_text(taken, "ok")
