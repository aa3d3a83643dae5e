"""Finds the entry or timer whose records Kafka refuses for good, and sets it aside, so that its partition goes on.

A refusal names no record. So the items of a refused batch are suspects, and the next batches hold half of those that
are left, until one holds a single item: that is the culprit. Pure.
"""

from collections.abc import Collection, Mapping
from typing import NamedTuple

from aiokafka.errors import MessageSizeTooLargeError, RecordListTooLargeError

from bridge.core.errors import DeadLetterReason
from bridge.kafka.records import InvalidRecordError

MIN_ENTRIES, MAX_ENTRIES = 1_000, 4_000
"""Most entries of one transaction, at least and at most: a tenth of a second's work. With four times as many, a broker
takes a third of the CPU time for each, and this process a tenth less; more are hardly better."""

MAX_ENTRIES_OF_ALL = 16_000
"""Most entries of all partitions' transactions together, above the least of each: each takes two kilobytes."""

MAX_TIMERS = 1_000
"""Most timers that expire in one transaction."""

REFUSALS: Mapping[type[Exception], DeadLetterReason] = {
    MessageSizeTooLargeError: DeadLetterReason.TOO_LARGE,
    RecordListTooLargeError: DeadLetterReason.TOO_LARGE,
    InvalidRecordError: DeadLetterReason.INTERNAL,
}
"""A broker's errors that repeating can't mend, and the reason of the dead letter for what causes them.

A refused timestamp is not among them: the clock of this process is wrong then, and no entry causes it.
"""

Item = int | str
"""An entry, by its offset, or a timer, by its attempt's key."""


class SetAside(NamedTuple):
    """Why an item becomes a dead letter."""

    reason: DeadLetterReason
    error: str


class BatchSize(NamedTuple):
    """The most entries and timers of a batch."""

    entries: int
    timers: int


class Quarantine:
    """One partition's suspects, and what is set aside."""

    def __init__(self) -> None:
        self.set_aside: dict[Item, SetAside] = {}
        """Until its dead letter is committed."""
        self._entries: set[int] = set()
        self._timers: set[str] = set()
        self._is_timers_turn = False

    def choose_size(self, partitions: int = 1) -> BatchSize:
        """Choose the next batch's size. While there are suspects, batches of entries and of timers take turns.

        Args:
            partitions: How many this process has.
        """
        most = max(MIN_ENTRIES, min(MAX_ENTRIES, MAX_ENTRIES_OF_ALL // max(1, partitions)))
        if not self._entries and not self._timers:
            return BatchSize(most, MAX_TIMERS)
        self._is_timers_turn = not self._is_timers_turn
        if self._is_timers_turn:
            return BatchSize(0, _halve(self._timers) or MAX_TIMERS)
        return BatchSize(_halve(self._entries) or most, 0)

    def note_refused(self, items: Collection[Item], error: Exception) -> Item | None:
        """Kafka refused a batch of these items.

        Returns:
            The culprit, which is set aside from now on. None where it isn't found yet, or where its dead letter is what
            Kafka refuses.
        """
        entries, timers = _split(items)
        self._entries, self._timers = entries or self._entries, timers or self._timers
        if len(items) != 1:
            return None
        (item,) = items
        if item in self.set_aside:
            return None
        reason = next(reason for kind, reason in REFUSALS.items() if isinstance(error, kind))
        self.set_aside[item] = SetAside(reason, f"Kafka refuses its records: {type(error).__name__}")
        return item

    def note_committed(self, items: Collection[Item]) -> None:
        """A batch of these items was committed."""
        if not self._entries and not self._timers:
            return
        entries, timers = _split(items)
        self._entries -= entries
        # Suspects are the longest due. If others expired first, a report has ended the suspects meanwhile.
        self._timers = self._timers - timers if not timers or self._timers & timers else set()
        for item in items:
            self.set_aside.pop(item, None)


def _split(items: Collection[Item]) -> tuple[set[int], set[str]]:
    """Split items into entries and timers."""
    return {item for item in items if isinstance(item, int)}, {item for item in items if isinstance(item, str)}


def _halve(suspects: Collection[object]) -> int:
    return (len(suspects) + 1) // 2
