"""Which journal partitions this process owns, and how far each one is. The tracker writes it, others read it."""

import time
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from bridge.kafka.contact import MAX_SILENCE
from bridge.observability.metrics import PartitionMetrics
from bridge.state.partition import PartitionStore


class PartitionSnapshot(NamedTuple):
    """One owned partition at one moment."""

    number: int
    restored: bool
    caught_up: bool
    silent: bool
    """Whether its broker doesn't answer; then its lag isn't known."""
    lag_entries: int
    lag_seconds: float
    restore_remaining: int
    """States still to be read into the store."""
    followed: int
    parked: int


class OwnedPartition:
    """One journal partition that this process owns. Made by `OwnedPartitions`.

    Args:
        number: The partition.
        store: What is known of its attempts.
        metrics: Show its lag.
    """

    def __init__(self, number: int, store: PartitionStore, metrics: PartitionMetrics) -> None:
        self.number, self.store = number, store
        self._gauges = metrics.journal_lag_entries, metrics.journal_lag_seconds
        self.restored = False
        """Whether the store stands where the state topic ends."""
        self.caught_up = False
        """Whether the journal is folded to its end: only then may timers run and polls be sent."""
        self.restore_remaining = 0
        self.lag_entries, self.lag_seconds = 0, 0.0
        self._folded_to: int | None = None
        self._answered_at = time.monotonic()
        self._show_lag()

    def reset(self) -> None:
        """Forget how far it was: its worker restarts."""
        self.restored = self.caught_up = False

    @property
    def silent(self) -> bool:
        """Whether its broker doesn't answer, so that its lag isn't known."""
        return time.monotonic() - self._answered_at > MAX_SILENCE

    def set_lag(self, folded_to: int, entries: int, seconds: float) -> None:
        """Note how far the journal is folded.

        Args:
            folded_to: The offset of the next entry to fold.
            entries: How many entries are known to be left.
            seconds: How old the last folded one is while some are left.
        """
        self._folded_to, self.caught_up = folded_to, entries == 0
        self.lag_entries, self.lag_seconds = entries, seconds
        self._show_lag()

    def note_answer(self, journal_end: int) -> None:
        """Note that its broker answered, and where the journal ends: its reader may not get the entries before."""
        self._answered_at = time.monotonic()
        if self._folded_to is not None:
            self.lag_entries = max(0, journal_end - self._folded_to)
            self._show_lag()

    def hide(self) -> None:
        """Take its lag out of the metrics: it is another process's now, or can't be measured."""
        for gauge in self._gauges:
            gauge.remove(str(self.number))

    def snapshot(self) -> PartitionSnapshot:
        """How far it is now."""
        return PartitionSnapshot(
            number=self.number,
            restored=self.restored,
            caught_up=self.caught_up,
            silent=self.silent,
            lag_entries=self.lag_entries,
            lag_seconds=self.lag_seconds,
            restore_remaining=self.restore_remaining,
            followed=self.store.followed.total(),
            parked=self.store.parked,
        )

    def _show_lag(self) -> None:
        if self.silent:
            return
        for gauge, value in zip(self._gauges, (self.lag_entries, self.lag_seconds), strict=True):
            gauge.labels(str(self.number)).set(value)


class OwnedPartitions:
    """The journal partitions of this process.

    Args:
        total: How many partitions the journal has.
        metrics: Show what they hold, and how far they are.
    """

    def __init__(self, total: int, metrics: PartitionMetrics) -> None:
        self.total, self._metrics = total, metrics
        metrics.journal_partitions.set(total)
        self._owned: dict[int, OwnedPartition] = {}
        self._providers: set[str] = set()
        self._claimed: set[int] = set()
        self.version = 0
        """Changes whenever a partition is claimed or released."""

    def __iter__(self) -> Iterator[OwnedPartition]:
        return iter(sorted(self._owned.values(), key=lambda owned: owned.number))

    @property
    def share(self) -> float:
        """This process's share of the journal, and so of an account's rate; at least that of one partition."""
        return max(1, len(self._owned)) / self.total

    @property
    def numbers(self) -> set[int]:
        """The partitions of this process."""
        return set(self._owned)

    def list_free(self) -> list[int]:
        """List the partitions whose caches no worker of this process uses."""
        return [number for number in range(self.total) if number not in self._claimed]

    def release(self, number: int) -> None:
        """Note that the worker of a partition that was revoked has ended, too."""
        self._claimed.discard(number)
        self.version += 1

    def add(self, number: int, store: PartitionStore) -> OwnedPartition:
        """Note that a partition was assigned to this process."""
        self._claimed.add(number)
        self.version += 1
        owned = self._owned[number] = OwnedPartition(number, store, self._metrics)
        self._metrics.partitions_assigned.set(len(self._owned))
        return owned

    def remove(self, number: int) -> None:
        """Note that a partition was revoked from this process."""
        if owned := self._owned.pop(number, None):
            owned.hide()
        self._metrics.partitions_assigned.set(len(self._owned))

    def note_answer(self, number: int, journal_end: int) -> None:
        """Note that a partition's broker answered, and where the journal ends."""
        if owned := self._owned.get(number):
            owned.note_answer(journal_end)

    def caught_up_stores(self) -> list[PartitionStore]:
        """The stores of the partitions whose journal is folded to its end."""
        return [owned.store for owned in self if owned.caught_up]

    def snapshot(self) -> list[PartitionSnapshot]:
        """How far each partition is now, by number."""
        return [owned.snapshot() for owned in self]

    def measure(self) -> None:
        """Set the metrics of what the partitions hold."""
        followed, oldest = Counter[str](), dict[str, int]()
        for owned in self._owned.values():
            if owned.silent:
                owned.hide()
            followed.update(owned.store.followed)
            for provider, started in owned.store.oldest().items():
                oldest[provider] = min(started, oldest.get(provider, started))
        self._providers |= set(followed)
        now = time.time()
        for provider in self._providers:
            self._metrics.attempts_followed.labels(provider).set(followed[provider])
            age = now - oldest[provider] / 1000 if provider in oldest else 0
            self._metrics.oldest_followed_age.labels(provider).set(max(0, age))
        self._metrics.partitions_silent.set(sum(owned.silent for owned in self._owned.values()))
        self._metrics.parked_reports.set(sum(owned.store.parked for owned in self._owned.values()))
