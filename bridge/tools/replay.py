"""`sms-bridge replay`: parses dead letters again, and appends what can be read now to the journal, to no other topic.

At least once, which is enough: the fold drops repeats. What becomes of a letter is decided in `replay_parser.py`.
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
from bridge.core.errors import DeadLetterReason, KafkaUnavailableError
from bridge.dead_letters import DeadLetter
from bridge.history.dead_letter_search import DeadLetterPosition, read_letters_at
from bridge.history.search import HistorySearch
from bridge.history.topic_scanner import OffsetSpan, TopicScanner, open_scanner
from bridge.intake.source_event import SentRecord
from bridge.journal.writer import JournalWriter, compute_max_entry_bytes
from bridge.kafka.batching_producer import BatchingProducer
from bridge.kafka.clients import KafkaClients
from bridge.kafka.records import Record
from bridge.kafka.topic_limits import TopicLimits
from bridge.kafka.topics import fetch_limits
from bridge.settings.model import Settings
from bridge.tools.output import ExitCode, make_table, stderr_console, stdout_console, style_text, write_json
from bridge.tools.replay_parser import ReplayOutcome, ReplayParser, ReplayResult

BATCH_SECONDS = 0.2
"""Of letters, at the rate that is asked for, that are appended together."""

APPEND_TIMEOUT = 30.0
"""Seconds for some letters, from which on Kafka counts as away."""

MAX_GAP = 1_000
"""Offsets up to which reading on is quicker than seeking."""

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
    at: frozenset[DeadLetterPosition] | None = None
    """Only those at these positions, whatever their time."""


class ReplayedLetter(NamedTuple):
    """A dead letter and what becomes of it."""

    letter: DeadLetter
    result: ReplayResult


async def replay_letters(settings: Settings, options: ReplayOptions, *, as_json: bool) -> ExitCode:
    """Parse the selected letters again, and append what can be read now."""
    kafka = KafkaClients(settings.kafka)
    limits = await fetch_limits(kafka, settings.topics)
    async with open_scanner(kafka) as scan:
        found = sorted(
            await _read_letters(scan, settings, options),
            key=lambda letter: (letter.received_at, letter.partition, letter.offset),
        )
        letters = [one for one in found if options.reasons is None or one.reason in options.reasons]
        parser = ReplayParser(settings, compute_max_entry_bytes(limits.max_message_bytes))
        originals = await _originals(scan, settings, letters)
        if parser.avro:
            sources = [originals.get(letter.source) or letter for letter in letters if not letter.http]
            await parser.avro.prepare(data for source in sources for data in (source.value, source.key))
        now = now_ms()
        read = [ReplayedLetter(letter, parser.parse(letter, originals.get(letter.source), now)) for letter in letters]
        read = [one for one in read if options.provider in {None, _provider(one)}][: options.limit]
    if not options.dry_run:
        await _append(kafka, settings, limits, [one for one in read if one.result.entries], options, quiet=as_json)
    _report(read, options, as_json=as_json)
    is_missing = options.at is not None and not found
    is_bad = any(one.result.outcome is ReplayOutcome.STILL_BAD for one in read)
    return ExitCode.WRONG if is_missing or is_bad else ExitCode.FINE


async def _read_letters(scan: TopicScanner, settings: Settings, options: ReplayOptions) -> list[DeadLetter]:
    if options.at is not None:
        return await read_letters_at(scan, settings.topics.dead_letter, options.at)
    return await HistorySearch(scan, settings, options.since, {}).read_letters()


def _provider(read: ReplayedLetter) -> str | None:
    return read.letter.provider or next((entry.provider for entry in read.result.entries), None)


async def _originals(
    scan: TopicScanner, settings: Settings, letters: Iterable[DeadLetter]
) -> dict[tuple[str, int, int] | None, SentRecord]:
    """Read the records that letters are about, as far as Kafka still has them: a letter doesn't keep their headers."""
    ours = {settings.topics.journal, *settings.topics.sent}
    wanted = {letter.source for letter in letters if letter.source and letter.source[0] in ours}
    found: dict[tuple[str, int, int] | None, SentRecord] = {}

    def take(record: Any) -> None:
        place = (record.topic, record.partition, record.offset)
        if place in wanted:
            found[place] = SentRecord(record.value, record.headers, record.key, record.timestamp, place)

    spans_by_partition = _merge_spans(wanted)
    for tp, spans in spans_by_partition.items():
        there = (await scan.spans(tp.topic, 0, [tp.partition]))[tp]
        for start, end in spans:
            await scan.scan({tp: OffsetSpan(max(start, there.start), min(end, there.end))}, take)
    return found


def _merge_spans(positions: Iterable[tuple[str, int, int]]) -> dict[TopicPartition, list[OffsetSpan]]:
    """Merge positions into few spans that hold all of them, by partition."""
    found: dict[TopicPartition, list[OffsetSpan]] = {}
    for topic, partition, offset in sorted(positions):
        spans = found.setdefault(TopicPartition(topic, partition), [])
        if spans and offset - spans[-1].end < MAX_GAP:
            spans[-1] = OffsetSpan(spans[-1].start, offset + 1)
        else:
            spans.append(OffsetSpan(offset, offset + 1))
    return found


async def _append(
    kafka: KafkaClients,
    settings: Settings,
    limits: TopicLimits,
    read: list[ReplayedLetter],
    options: ReplayOptions,
    *,
    quiet: bool,
) -> None:
    appender = BatchingProducer(kafka)
    await appender.start()
    journal = JournalWriter(appender, settings.topics.journal, limits.journal_partitions, limits.max_message_bytes)
    records = [journal.to_record(entry) for one in read for entry in one.result.entries]
    at_once = max(1, round(options.rate * BATCH_SECONDS))
    columns = (TextColumn("replaying"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    bar = Progress(*columns, console=stderr_console(), transient=True)
    try:
        with bar if stderr_console().is_terminal and not quiet else nullcontext():
            task = bar.add_task("", total=len(records))
            started = time.monotonic()
            for start in range(0, len(records), at_once):
                await asyncio.sleep(max(0, started + start / options.rate - time.monotonic()))
                await _append_some(journal, records[start : start + at_once], f"{start} of {len(records)}")
                bar.advance(task, len(records[start : start + at_once]))
    finally:
        await appender.stop(5.0)


async def _append_some(journal: JournalWriter, records: list[Record], done: str) -> None:
    try:
        async with asyncio.timeout(APPEND_TIMEOUT):
            await journal.append(records)
    except (KafkaUnavailableError, TimeoutError) as error:
        why = str(error) or "no answer in time"
        raise KafkaUnavailableError(
            f"the journal has {done} entries and takes no more ({why}); replay again: what it has already is dropped"
        ) from error


def _report(read: list[ReplayedLetter], options: ReplayOptions, *, as_json: bool) -> None:
    counts = Counter((one.letter.reason or "?", one.result.outcome) for one in read)
    if as_json:
        letters = [
            {
                "partition": one.letter.partition,
                "offset": one.letter.offset,
                "reason": one.letter.reason,
                "fate": one.result.outcome,
                "why": one.result.why,
            }
            for one in read
        ]
        by_fate = {fate.value: sum(n for (_, f), n in counts.items() if f is fate) for fate in ReplayOutcome}
        write_json({"dry_run": options.dry_run, "totals": by_fate, "letters": letters})
        return
    out = stdout_console()
    if options.dry_run:
        rows = [
            (
                f"{one.letter.partition}/{one.letter.offset}",
                one.letter.reason or "?",
                style_text(_format_outcome(one.result.outcome, dry=True), STYLES[one.result.outcome]),
                one.result.why,
            )
            for one in read
        ]
        out.print(make_table(("at", "was", "would be", ""), rows))
        out.print()
    totals = [
        (reason, style_text(_format_outcome(fate, dry=options.dry_run), STYLES[fate]), str(n))
        for (reason, fate), n in sorted(counts.items())
    ]
    out.print(make_table(("dead letters", "now", "how many"), totals) if totals else Text("no dead letters match"))


def _format_outcome(fate: ReplayOutcome, *, dry: bool) -> str:
    words = {ReplayOutcome.STILL_BAD: "still unreadable", ReplayOutcome.NOT_REPLAYABLE: "not replayable"}
    return words.get(fate, fate.value) + (" (dry run)" if dry and fate is ReplayOutcome.JOURNALED else "")
