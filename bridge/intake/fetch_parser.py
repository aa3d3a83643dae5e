"""Turns the records of a fetch into records for the journal: entries, and dead letters between them.

It also counts what became of them, and logs what can't be used. It does no I/O.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Any

import structlog
from msgspec.structs import replace

from bridge.clock import now_ms
from bridge.core.entries import Sent
from bridge.core.errors import DeadLetterReason, PoisonMessageError, convert_to_poison
from bridge.dead_letters import DeadLetter, DeadLetters, SourcePosition
from bridge.intake.optional_members import IgnoredMember, OptionalMember
from bridge.intake.sent_parser import ParsedRecord, SentParser, SkipReason
from bridge.intake.source_event import SentRecord
from bridge.journal.writer import JournalWriter
from bridge.kafka.records import Record
from bridge.observability.tracing import find_traceparent, parse_trace_id

MAX_RECORD_BYTES = 16 * 1024 * 1024
"""Journaled bytes of one record's attempts, each of which repeats its metadata; the others go without metadata."""

log = structlog.get_logger(__name__)


class ParsedFetch:
    """What the records of a fetch, or a part of them, became."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        """Entries and dead letters, in the order of the records that they were made from."""
        self.entries: list[Sent] = []
        self.skipped: Counter[SkipReason] = Counter()
        self.ignored: Counter[OptionalMember] = Counter()
        self.dead_letters: Counter[DeadLetterReason] = Counter()
        self.multiplied_bytes = 0
        """Size of the entries of records with several attempts; all others together are as large as the fetch."""


class FetchParser:
    """Parses records, one after the other.

    Args:
        parser: Parses one record.
        journal: Makes the records of entries.
        dead_letters: Makes dead letters.
    """

    def __init__(self, parser: SentParser, journal: JournalWriter, dead_letters: DeadLetters) -> None:
        self._parser, self._journal, self._dead_letters = parser, journal, dead_letters
        self._warned: set[OptionalMember] = set()

    def list_encoded(self, records: Iterable[Any]) -> Iterable[bytes | None]:
        """List the values that a schema may be needed for, and the keys if anything is read from them."""
        for record in records:
            yield record.value
            if self._parser.mapping.uses_key:
                yield record.key

    def parse(self, record: Any, parsed: ParsedFetch) -> None:
        """Parse a record of Kafka's, and add what it becomes."""
        origin = (record.topic, record.partition, record.offset)
        sent = SentRecord(record.value, record.headers, record.key, record.timestamp, origin)
        try:
            found = self._parser.parse(sent, now_ms())
        except Exception as error:  # noqa: BLE001 - pure code: whatever it raises, this record is the cause
            self._add_dead_letter(sent, convert_to_poison(error), parsed)
            return
        if found.skipped:
            parsed.skipped[found.skipped] += 1
        for ignored in found.ignored:
            self._ignore(sent, ignored, parsed)
        self._add_entries(sent, found, parsed)
        for poison in found.errors:
            self._add_dead_letter(sent, poison, parsed)

    def _add_entries(self, sent: SentRecord, found: ParsedRecord, parsed: ParsedFetch) -> None:
        too_large, total_bytes, has_several = None, 0, len(found.entries) > 1
        for one in found.entries:
            try:
                entry, journaled = self._fit(one, keep_metadata=total_bytes < MAX_RECORD_BYTES)
            except PoisonMessageError as poison:
                too_large = poison
                continue
            if entry is not one:
                self._ignore(sent, IgnoredMember("metadata", "too large for the journal"), parsed)
            parsed.entries.append(entry)
            parsed.records.append(journaled)
            if has_several:
                total_bytes += journaled.size
        parsed.multiplied_bytes += total_bytes
        if too_large:
            self._add_dead_letter(sent, too_large, parsed)

    def _fit(self, entry: Sent, *, keep_metadata: bool) -> tuple[Sent, Record]:
        """Make the record of an entry, without its metadata if it is too large otherwise.

        Raises:
            PoisonMessageError: It is still too large.
        """
        if keep_metadata or not entry.metadata:
            try:
                return entry, self._journal.to_record(entry)
            except PoisonMessageError:
                if not entry.metadata:
                    raise
        smaller = replace(entry, metadata={})
        return smaller, self._journal.to_record(smaller)

    def _ignore(self, sent: SentRecord, ignored: IgnoredMember, parsed: ParsedFetch) -> None:
        parsed.ignored[ignored.member] += 1
        if ignored.member not in self._warned:
            self._warned.add(ignored.member)
            log.warning(
                "members of sent events ignored; further ones are only counted",
                member=ignored.member,
                why=ignored.why,
                **_locate(sent),
            )

    def _add_dead_letter(self, sent: SentRecord, poison: PoisonMessageError, parsed: ParsedFetch) -> None:
        log.warning(
            "sent event rejected",
            reason=poison.reason.value,
            error=poison.error,
            **_locate(sent),
            message_id=self._parser.find_message_id(sent),
            trace_id=parse_trace_id(find_traceparent(sent.headers)),
        )
        letter = DeadLetter(
            reason=poison.reason.value,
            error=poison.error,
            key=sent.key,
            value=sent.value or b"",
            received_at=now_ms(),
            source=SourcePosition(*sent.origin) if sent.origin else None,
        )
        parsed.dead_letters[poison.reason] += 1
        parsed.records.append(self._dead_letters.to_record(letter))


def _locate(sent: SentRecord) -> dict[str, Any]:
    return dict(zip(("topic", "partition", "offset"), sent.origin or (), strict=False))
