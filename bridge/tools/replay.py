"""`sms-bridge replay`: dead letters through the parsers again, into the journal and never into anybody else's topic.

At least once, which is enough: the fold drops what it knows already. What is decided about a letter is in `letters.py`.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import nullcontext
from typing import Any, NamedTuple

from aiokafka import TopicPartition
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from bridge.core.errors import DeadLetterReason
from bridge.journal import Journal
from bridge.kafka.appender import Appender
from bridge.kafka.clients import Kafka
from bridge.settings.model import Settings
from bridge.tools.letters import Fate, Original, Rereader, Verdict
from bridge.tools.output import Exit, console, notices, styled, table, write_json
from bridge.tools.scan import Scanner, Span, scanner
from bridge.tools.search import Letter, Search

STEP = 0.2
"""Seconds of letters, at the rate that is asked for, which are handed over together."""

STYLES = {Fate.JOURNALED: "ok", Fate.STILL_BAD: "wrong", Fate.IGNORED: "", Fate.NOT_REPLAYABLE: "warning"}


class Choice(NamedTuple):
    """Which dead letters, and how fast."""

    reasons: frozenset[DeadLetterReason] | None
    provider: str | None
    since: int
    limit: int | None
    rate: float
    dry_run: bool


class Read(NamedTuple):
    """A letter and what becomes of it."""

    letter: Letter
    verdict: Verdict


async def replay(settings: Settings, choice: Choice, *, as_json: bool) -> Exit:
    """Read the letters that are chosen again, and append what can be read now."""
    kafka = Kafka(settings.kafka)
    async with scanner(kafka) as scan:
        found = sorted(await Search(scan, settings, choice.since).letters(), key=lambda letter: letter.place)
        letters = [one for one in found if choice.reasons is None or one.headers.get("reason") in choice.reasons]
        rereader = Rereader(settings)
        originals = await _originals(scan, settings, letters)
        now = time.time_ns() // 1_000_000
        read = [Read(letter, rereader.read(letter, originals.get(letter.origin), now)) for letter in letters]
        read = [one for one in read if choice.provider in {None, _provider(one)}][: choice.limit]
        partitions = await scan.partitions(settings.topics.journal)
    if not choice.dry_run:
        await _append(kafka, settings, partitions, [one for one in read if one.verdict.entry], choice, quiet=as_json)
    _report(read, choice, as_json=as_json)
    return Exit.WRONG if any(one.verdict.fate is Fate.STILL_BAD for one in read) else Exit.FINE


def _provider(read: Read) -> str | None:
    entry = read.verdict.entry
    return read.letter.headers.get("provider") or (entry.provider if entry else None)


async def _originals(
    scan: Scanner, settings: Settings, letters: Iterable[Letter]
) -> dict[tuple[str, int, int] | None, Original]:
    """The records that letters are about, those that are still there: a letter has no headers but its own."""
    ours = {settings.topics.journal, *settings.topics.sent}
    wanted = {letter.origin for letter in letters if letter.origin and letter.origin[0] in ours}
    found: dict[tuple[str, int, int] | None, Original] = {}

    def take(record: Any) -> None:
        place = (record.topic, record.partition, record.offset)
        if place in wanted:
            found[place] = Original(record.value, tuple(record.headers))

    stretches = _stretches(wanted)
    for tp, spans in stretches.items():
        there = (await scan.spans(tp.topic, 0, [tp.partition]))[tp]
        for start, end in spans:
            await scan.scan({tp: Span(max(start, there.start), min(end, there.end))}, take)
    return found


NEAR = 1_000
"""Offsets up to which reading on is quicker than seeking."""


def _stretches(places: Iterable[tuple[str, int, int]]) -> dict[TopicPartition, list[Span]]:
    """Few stretches that hold all of these places."""
    found: dict[TopicPartition, list[Span]] = {}
    for topic, partition, offset in sorted(places):
        spans = found.setdefault(TopicPartition(topic, partition), [])
        if spans and offset - spans[-1].end < NEAR:
            spans[-1] = Span(spans[-1].start, offset + 1)
        else:
            spans.append(Span(offset, offset + 1))
    return found


async def _append(
    kafka: Kafka, settings: Settings, partitions: int, read: list[Read], choice: Choice, *, quiet: bool
) -> None:
    appender = Appender(kafka)
    await appender.start()
    journal = Journal(appender, settings.topics.journal, partitions)
    records = [journal.record(one.verdict.entry) for one in read if one.verdict.entry]
    at_once = max(1, round(choice.rate * STEP))
    columns = (TextColumn("replaying"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    bar = Progress(*columns, console=notices(), transient=True)
    try:
        with bar if notices().is_terminal and not quiet else nullcontext():
            task = bar.add_task("", total=len(records))
            started = time.monotonic()
            for start in range(0, len(records), at_once):
                await asyncio.sleep(max(0, started + start / choice.rate - time.monotonic()))
                await journal.append(records[start : start + at_once])
                bar.advance(task, len(records[start : start + at_once]))
    finally:
        await appender.stop(5.0)


def _report(read: list[Read], choice: Choice, *, as_json: bool) -> None:
    counts = Counter((one.letter.headers.get("reason", "?"), one.verdict.fate) for one in read)
    if as_json:
        letters = [
            {
                "partition": one.letter.partition,
                "offset": one.letter.offset,
                "reason": one.letter.headers.get("reason"),
                "fate": one.verdict.fate,
                "why": one.verdict.why,
            }
            for one in read
        ]
        by_fate = {fate.value: sum(n for (_, f), n in counts.items() if f is fate) for fate in Fate}
        write_json({"dry_run": choice.dry_run, "totals": by_fate, "letters": letters})
        return
    out = console()
    if choice.dry_run:
        rows = [
            (
                f"{one.letter.partition}/{one.letter.offset}",
                one.letter.headers.get("reason", "?"),
                styled(_told(one.verdict.fate, dry=True), STYLES[one.verdict.fate]),
                one.verdict.why,
            )
            for one in read
        ]
        out.print(table(("at", "was", "would be", ""), rows))
        out.print()
    totals = [
        (reason, styled(_told(fate, dry=choice.dry_run), STYLES[fate]), str(n))
        for (reason, fate), n in sorted(counts.items())
    ]
    out.print(table(("dead letters", "now", "how many"), totals) if totals else Text("no dead letters are chosen"))


def _told(fate: Fate, *, dry: bool) -> str:
    words = {Fate.STILL_BAD: "still unreadable", Fate.NOT_REPLAYABLE: "not replayable"}
    return words.get(fate, fate.value) + (" (dry run)" if dry and fate is Fate.JOURNALED else "")
