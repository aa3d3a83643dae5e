"""`sms-bridge check --sample FILE`: how an event of `sms.sent` would be read, member by member."""

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import orjson
from msgspec import to_builtins
from rich.text import Text

from bridge.accounts import build_accounts
from bridge.clock import now_ms
from bridge.core.entries import Sent
from bridge.core.errors import ConfigurationError, PoisonMessageError, RegistryUnavailableError
from bridge.core.timestamps import format_rfc3339
from bridge.intake.field_mapping import FieldSource
from bridge.intake.member_values import READERS, TIME_MEMBERS
from bridge.intake.optional_members import IgnoredMember
from bridge.intake.sent_parser import ESSENTIAL_MEMBERS, SentParser, make_sent_parser
from bridge.intake.source_event import SentRecord
from bridge.kafka.wire_format import parse_schema_id
from bridge.privacy import Privacy
from bridge.schemas import load_schema
from bridge.settings.model import PREFIX, Settings
from bridge.tools.output import ExitCode, make_table, stdout_console, style_text, write_json

FORMAT_MEMBERS = ("v", "type")
"""What an entry's encoding has in addition."""


class SampleMember(NamedTuple):
    """One member of `sms.sent`."""

    name: str
    place: str | None
    """Where it was found: a pointer, `constant`, or the member's own name. None: it isn't there."""
    found: Any
    taken: Any
    wrong: str | None
    """Why it can't be used: it is ignored, or the event can't be followed without it."""


def explain_sample(settings: Settings, sample: Path, key: str | None, headers: list[str], *, as_json: bool) -> ExitCode:
    """Show how an event would be read.

    Args:
        settings: What the mapping is.
        sample: A file that holds the value of one record.
        key: The record's key.
        headers: The record's headers, as `NAME=VALUE`.
        as_json: As a document.

    Raises:
        ConfigurationError: The file can't be read, or the registry that has its schema.
    """
    if not sample.is_file():
        raise ConfigurationError(f"--sample {sample} can't be read: give the path of a file that holds one event")
    value = sample.read_bytes()
    value = value if parse_schema_id(value) is not None else value.strip()
    parts = [header.partition("=") for header in headers]
    record = SentRecord(
        value,
        [(name, text.encode()) for name, _, text in parts],
        None if key is None else key.encode(),
        now_ms(),
    )
    parser = make_sent_parser(settings, build_accounts(settings), Privacy(settings.privacy))
    if parser.avro:
        try:
            asyncio.run(parser.avro.prepare([record.value, record.key]))
        except RegistryUnavailableError as error:
            raise ConfigurationError(f"{PREFIX}REGISTRY__URL: {error}") from error
    result = read_sample(parser, record)
    _show(result, as_json=as_json)
    return ExitCode.FINE if result.entry else ExitCode.WRONG


class _Sample(NamedTuple):
    """How an event is read."""

    verdict: str
    members: list[SampleMember]
    """Of its first attempt."""
    entry: Sent | None = None


def read_sample(parser: SentParser, record: SentRecord) -> _Sample:
    """Read a record as the intake does, and explain it."""
    try:
        event = parser.decode(record)
        found = parser.parse(record, now_ms())
    except PoisonMessageError as poison:
        return _Sample(_describe(poison), list_members(parser, record, ()))
    members = list_members(parser, record, found.ignored)
    if event is None:
        return _Sample("is skipped: it says that a row was deleted", members)
    if found.skipped:
        return _Sample(f"is skipped: SENT__WHERE turns it down at {parser.mapping.find_mismatch(event)}", members)
    attempts = f" as {len(found.entries)} attempts" if parser.mapping.each else ""
    others = "".join(f"; a part of it {_describe(poison)}" for poison in found.errors)
    return _Sample(f"is followed{attempts}{others}", members, next(iter(found.entries), None))


def list_members(parser: SentParser, record: SentRecord, ignored: Iterable[IgnoredMember]) -> list[SampleMember]:
    """List every member of `sms.sent`, and what an event's first attempt has for it."""
    try:
        event = parser.decode(record)
        if event and parser.mapping.each:
            event = parser.mapping.split(event)[0]
    except (PoisonMessageError, IndexError):
        event = None
    if event is None:
        return []
    sources, mapped = parser.mapping.find_sources(event), parser.mapping.map(event)
    known, reasons = load_schema("sms.sent.v1"), {one.member: f"is ignored: {one.why}" for one in ignored}
    found = []
    for name in known["properties"]:
        source, taken = sources.get(name, FieldSource(name, None)), mapped.get(name)
        wrong: str | None = reasons.get(name)
        if source.value is None and name in ESSENTIAL_MEMBERS:
            wrong = f"is required; looked for at {source.origin}; SENT__FIELDS or SENT__CONSTANTS say where it is"
        elif taken is not None and not wrong:
            taken, wrong = _read(name, taken)
        place = None if name not in sources else source.origin
        found.append(SampleMember(name, place, source.value, taken, wrong))
    return found


def _read(name: str, value: Any) -> tuple[Any, str | None]:
    try:
        taken = READERS[name](value)
    except ValueError as error:
        return value, str(error)
    return format_rfc3339(taken) if name in TIME_MEMBERS else taken, None


def _describe(poison: PoisonMessageError) -> str:
    return f"goes to the dead letters as {poison.reason.value}: {poison.error}"


def _show(sample: _Sample, *, as_json: bool) -> None:
    entry = sample.entry
    if as_json:
        write_json(
            {
                "readable": entry is not None,
                "verdict": sample.verdict,
                "members": sample.members,
                "entry": entry
                and {name: value for name, value in to_builtins(entry).items() if name not in FORMAT_MEMBERS},
            }
        )
        return
    out = stdout_console()
    out.print(make_table(("ours", "from", "value", "taken as"), (_row(member) for member in sample.members)))
    out.print()
    out.print(style_text(f"The event {sample.verdict}.", "ok" if entry else "wrong"))
    if entry:
        until = format_rfc3339(entry.gives_up_at)
        out.print(Text(f"Attempt {entry.key}, followed until {until}."))


def _row(member: SampleMember) -> tuple[str, str, str | Text, str | Text]:
    found = "" if member.found is None else orjson.dumps(member.found).decode()
    place = member.place or ""
    if member.wrong:
        return member.name, place, found or Text("absent", "dim"), style_text(member.wrong, "wrong")
    if member.found is None:
        return member.name, place, Text("absent", "dim"), ""
    taken = member.taken if isinstance(member.taken, str) else orjson.dumps(member.taken).decode()
    return member.name, place, found, style_text(taken, "ok")
