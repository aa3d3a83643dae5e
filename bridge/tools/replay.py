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

from bridge.clock import now_ms
from bridge.core.errors import DeadLetterReason
from bridge.dead_letters import DeadLetter
from bridge.history.search import HistorySearch
from bridge.history.topic_scanner import OffsetSpan, TopicScanner, open_scanner
from bridge.journal.writer import JournalWriter
from bridge.kafka.batching_producer import BatchingProducer
from bridge.kafka.clients import KafkaClients
from bridge.settings.model import Settings
from bridge.tools.output import ExitCode, make_table, stderr_console, stdout_console, style_text, write_json
from bridge.tools.replay_parser import ReplayOutcome, ReplayParser, ReplayResult, ReplaySource

STEP = 0.2
"""Seconds of letters, at the rate that is asked for, which are handed over together."""

STYLES = {
    ReplayOutcome.JOURNALED: "ok",
    ReplayOutcome.STILL_BAD: "wrong",
    ReplayOutcome.IGNORED: "",
    ReplayOutcome.NOT_REPLAYABLE: "warning",
}


class ReplayOptions(NamedTuple):
    """Which dead letters, and how fast."""

    reasons: frozenset[DeadLetterReason] | None
    provider: str | None
    since: int
    limit: int | None
    rate: float
    dry_run: bool


class ReplayedLetter(NamedTuple):
    """A letter and what becomes of it."""

    letter: DeadLetter
    verdict: ReplayResult


async def replay(settings: Settings, choice: ReplayOptions, *, as_json: bool) -> ExitCode:
    """Read the letters that are chosen again, and append what can be read now."""
    kafka = KafkaClients(settings.kafka)
    async with open_scanner(kafka) as scan:
        found = sorted(
            await HistorySearch(scan, settings, choice.since).letters(),
            key=lambda letter: (letter.received_at, letter.partition, letter.offset),
        )
        letters = [one for one in found if choice.reasons is None or one.reason in choice.reasons]
        rereader = ReplayParser(settings)
        originals = await _originals(scan, settings, letters)
        now = now_ms()
        read = [ReplayedLetter(letter, rereader.read(letter, originals.get(letter.source), now)) for letter in letters]
        read = [one for one in read if choice.provider in {None, _provider(one)}][: choice.limit]
        partitions = await scan.partitions(settings.topics.journal)
    if not choice.dry_run:
        await _append(kafka, settings, partitions, [one for one in read if one.verdict.entry], choice, quiet=as_json)
    _report(read, choice, as_json=as_json)
    return ExitCode.WRONG if any(one.verdict.fate is ReplayOutcome.STILL_BAD for one in read) else ExitCode.FINE


def _provider(read: ReplayedLetter) -> str | None:
    entry = read.verdict.entry
    return read.letter.provider or (entry.provider if entry else None)


async def _originals(
    scan: TopicScanner, settings: Settings, letters: Iterable[DeadLetter]
) -> dict[tuple[str, int, int] | None, ReplaySource]:
    """The records that letters are about, those that are still there: a letter has no headers but its own."""
    ours = {settings.topics.journal, *settings.topics.sent}
    wanted = {letter.source for letter in letters if letter.source and letter.source[0] in ours}
    found: dict[tuple[str, int, int] | None, ReplaySource] = {}

    def take(record: Any) -> None:
        place = (record.topic, record.partition, record.offset)
        if place in wanted:
            found[place] = ReplaySource(record.value, tuple(record.headers))

    stretches = _stretches(wanted)
    for tp, spans in stretches.items():
        there = (await scan.spans(tp.topic, 0, [tp.partition]))[tp]
        for start, end in spans:
            await scan.scan({tp: OffsetSpan(max(start, there.start), min(end, there.end))}, take)
    return found


NEAR = 1_000
"""Offsets up to which reading on is quicker than seeking."""


def _stretches(places: Iterable[tuple[str, int, int]]) -> dict[TopicPartition, list[OffsetSpan]]:
    """Few stretches that hold all of these places."""
    found: dict[TopicPartition, list[OffsetSpan]] = {}
    for topic, partition, offset in sorted(places):
        spans = found.setdefault(TopicPartition(topic, partition), [])
        if spans and offset - spans[-1].end < NEAR:
            spans[-1] = OffsetSpan(spans[-1].start, offset + 1)
        else:
            spans.append(OffsetSpan(offset, offset + 1))
    return found


async def _append(
    kafka: KafkaClients,
    settings: Settings,
    partitions: int,
    read: list[ReplayedLetter],
    choice: ReplayOptions,
    *,
    quiet: bool,
) -> None:
    appender = BatchingProducer(kafka)
    await appender.start()
    journal = JournalWriter(appender, settings.topics.journal, partitions)
    records = [journal.to_record(one.verdict.entry) for one in read if one.verdict.entry]
    at_once = max(1, round(choice.rate * STEP))
    columns = (TextColumn("replaying"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    bar = Progress(*columns, console=stderr_console(), transient=True)
    try:
        with bar if stderr_console().is_terminal and not quiet else nullcontext():
            task = bar.add_task("", total=len(records))
            started = time.monotonic()
            for start in range(0, len(records), at_once):
                await asyncio.sleep(max(0, started + start / choice.rate - time.monotonic()))
                await journal.append(records[start : start + at_once])
                bar.advance(task, len(records[start : start + at_once]))
    finally:
        await appender.stop(5.0)


def _report(read: list[ReplayedLetter], choice: ReplayOptions, *, as_json: bool) -> None:
    counts = Counter((one.letter.reason or "?", one.verdict.fate) for one in read)
    if as_json:
        letters = [
            {
                "partition": one.letter.partition,
                "offset": one.letter.offset,
                "reason": one.letter.reason,
                "fate": one.verdict.fate,
                "why": one.verdict.why,
            }
            for one in read
        ]
        by_fate = {fate.value: sum(n for (_, f), n in counts.items() if f is fate) for fate in ReplayOutcome}
        write_json({"dry_run": choice.dry_run, "totals": by_fate, "letters": letters})
        return
    out = stdout_console()
    if choice.dry_run:
        rows = [
            (
                f"{one.letter.partition}/{one.letter.offset}",
                one.letter.reason or "?",
                style_text(_told(one.verdict.fate, dry=True), STYLES[one.verdict.fate]),
                one.verdict.why,
            )
            for one in read
        ]
        out.print(make_table(("at", "was", "would be", ""), rows))
        out.print()
    totals = [
        (reason, style_text(_told(fate, dry=choice.dry_run), STYLES[fate]), str(n))
        for (reason, fate), n in sorted(counts.items())
    ]
    out.print(make_table(("dead letters", "now", "how many"), totals) if totals else Text("no dead letters are chosen"))


def _told(fate: ReplayOutcome, *, dry: bool) -> str:
    words = {ReplayOutcome.STILL_BAD: "still unreadable", ReplayOutcome.NOT_REPLAYABLE: "not replayable"}
    return words.get(fate, fate.value) + (" (dry run)" if dry and fate is ReplayOutcome.JOURNALED else "")
