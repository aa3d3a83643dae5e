"""Makes the records of the tracker's dead letters.

The original bytes of a report are at hand. A rejected sent event's are in its own topic: they are read again, within a
time limit. If many are rejected at once (after a rewind of `sms.sent`), dead letters hold the journal's entry instead.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from aiokafka import TopicPartition

from bridge.clock import now_ms
from bridge.dead_letters import DeadLetter, DeadLetters, SourcePosition
from bridge.kafka.records import Record
from bridge.tracker.batch import PendingDeadLetter
from bridge.tracker.source_reader import SourceReader

NOT_READ = "; the original was not read again: this is the journal's entry"

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
        for one in pending:
            if one.origin:
                topic, partition, offset = one.origin
                wanted.setdefault(TopicPartition(topic, partition), set()).add(offset)
        originals = {tp: await self._source_reader.read(tp, offsets) for tp, offsets in wanted.items()}
        return [self._dead_letters.to_record(_make_letter(journal, one, originals)) for one in pending]


def _make_letter(journal: TopicPartition, pending: PendingDeadLetter, originals: Originals) -> DeadLetter:
    rejection, key, value, note = pending.rejection, None, pending.value, ""
    source = SourcePosition(journal.topic, journal.partition, rejection.offset)
    if pending.origin:
        source = SourcePosition(*pending.origin)
        original = originals[TopicPartition(source.topic, source.partition)].get(source.offset)
        if original is not None:
            key, value = original.key, original.value or b""
        else:
            note = NOT_READ
    provider, _, account = pending.full_account.partition(":")
    return DeadLetter(
        reason=rejection.reason.value,
        error=rejection.error + note,
        key=key,
        value=value,
        received_at=now_ms(),
        source=source,
        provider=provider or None,
        account=account or None,
    )
