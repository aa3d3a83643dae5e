"""Makes the records of the tracker's dead letters.

The original bytes of a report are at hand, unless it was parked and is long: then they are in the journal. A rejected
sent event's are in its own topic. Both are read again, within a time limit. If many sent events are rejected at once
(after a rewind of `sms.sent`), dead letters hold the journal's entry instead.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from aiokafka import TopicPartition

from bridge.clock import now_ms
from bridge.core.entries import Report
from bridge.core.errors import PoisonMessageError
from bridge.dead_letters import DeadLetter, DeadLetters, SourcePosition
from bridge.journal.serde import decode_entry
from bridge.kafka.records import Record
from bridge.tracker.batch import PendingDeadLetter
from bridge.tracker.source_reader import SourceReader

NOT_READ = "; the original was not read again"

Originals = Mapping[TopicPartition, Mapping[int, Any]]
"""Records that were read again, by partition and offset."""


class DeadLetterRecords:
    """Makes the records of the tracker's dead letters.

    Args:
        source_reader: Reads originals again.
        dead_letters: Makes the records.
    """

    def __init__(self, source_reader: SourceReader, dead_letters: DeadLetters) -> None:
        self._source_reader, self._dead_letters = source_reader, dead_letters

    async def make(self, journal: TopicPartition, pending: Iterable[PendingDeadLetter]) -> list[Record]:
        """Make the records of these dead letters."""
        pending = tuple(pending)
        wanted: dict[TopicPartition, set[int]] = {}
        shared = Counter(_find_source(journal, one) for one in pending if one.needs_original)
        for one in pending:
            # A record with several attempts isn't copied once for each: the journal's entry is about one of them.
            if one.needs_original and (one.value is None or shared[_find_source(journal, one)] == 1):
                topic, partition, offset = _find_source(journal, one)
                wanted.setdefault(TopicPartition(topic, partition), set()).add(offset)
        originals = {tp: await self._source_reader.read(tp, offsets) for tp, offsets in wanted.items()}
        return [self._dead_letters.to_record(_make_letter(journal, one, originals)) for one in pending]


def _find_source(journal: TopicPartition, pending: PendingDeadLetter) -> SourcePosition:
    if pending.origin:
        return SourcePosition(*pending.origin)
    return SourcePosition(journal.topic, journal.partition, pending.rejection.offset)


def _make_letter(journal: TopicPartition, pending: PendingDeadLetter, originals: Originals) -> DeadLetter:
    rejection, key, value, note = pending.rejection, None, pending.value, ""
    source = _find_source(journal, pending)
    if pending.needs_original:
        original = originals.get(TopicPartition(source.topic, source.partition), {}).get(source.offset)
        if original is None:
            note = NOT_READ
        elif pending.origin:
            key, value = original.key, original.value
        else:
            value = _extract_raw(original.value)
    provider, _, account = pending.full_account.partition(":")
    return DeadLetter(
        reason=rejection.reason.value,
        error=rejection.error + note,
        key=key,
        value=value or b"",
        received_at=now_ms(),
        source=source,
        provider=provider or None,
        account=account or None,
    )


def _extract_raw(value: bytes | None) -> bytes | None:
    """Return a report's raw text, or the whole value if it isn't a report."""
    try:
        entry = decode_entry(value)
    except PoisonMessageError:
        return value
    return entry.raw.encode() if isinstance(entry, Report) else value
