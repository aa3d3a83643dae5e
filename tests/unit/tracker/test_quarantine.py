"""Whatever Kafka refuses, only what it refuses is set aside, and all the rest is committed."""

import math
from collections.abc import Callable, Collection

import pytest
from aiokafka.errors import MessageSizeTooLargeError, for_code
from hypothesis import given
from hypothesis import strategies as st

from bridge.core.errors import DeadLetterReason
from bridge.kafka.records import InvalidRecordError
from bridge.tracker.quarantine import MAX_ENTRIES, MAX_TIMERS, BatchSize, Item, Quarantine

FULL = BatchSize(MAX_ENTRIES, MAX_TIMERS)


class Partition:
    """A partition's entries and timers, before a Kafka that refuses some of them."""

    def __init__(self, entries: int, timers: int, culprits: Collection[Item]) -> None:
        self.quarantine, self.refusals = Quarantine(), 0
        self.committed: dict[Item, bool] = {}
        """By item, whether it was set aside."""
        self._waiting: list[Item] = list(range(entries))
        self._timers: list[Item] = [f"timer-{number}" for number in range(timers)]
        self._culprits = culprits

    @property
    def is_done(self) -> bool:
        """Whether everything is committed."""
        return not self._waiting and not self._timers

    def run_batch(self) -> None:
        """Commit one batch, or have it refused."""
        size = self.quarantine.choose_size()
        batch = [*self._waiting[: size.entries], *self._timers[: size.timers]]
        if any(item in self._culprits and item not in self.quarantine.set_aside for item in batch):
            self.refusals += 1
            self.quarantine.note_refused(batch, MessageSizeTooLargeError())
            return
        self.committed.update((item, item in self.quarantine.set_aside) for item in batch)
        self.quarantine.note_committed(batch)
        self._waiting = [item for item in self._waiting if item not in batch]
        self._timers = [item for item in self._timers if item not in batch]


@st.composite
def partitions(draw: Callable[..., int]) -> tuple[Partition, set[Item]]:
    """A partition, and its culprits."""
    entries, timers = draw(st.integers(0, 2_500)), draw(st.integers(0, 50))
    items: list[Item] = [*range(entries), *(f"timer-{number}" for number in range(timers))]
    culprits: set[Item] = draw(st.sets(st.sampled_from(items), max_size=8)) if items else set()  # type: ignore[assignment]
    return Partition(entries, timers, culprits), culprits


@given(partitions())
def test_only_culprits_are_set_aside(case: tuple[Partition, set[Item]]) -> None:
    """After few refusals: each halves the suspects."""
    partition, culprits = case
    most = len(culprits) * (math.ceil(math.log2(FULL.entries + FULL.timers)) + 2)
    for _ in range(100 * (most + 10)):
        if partition.is_done:
            break
        partition.run_batch()
    assert partition.is_done
    assert {item for item, aside in partition.committed.items() if aside} == culprits
    assert partition.refusals <= most
    assert not partition.quarantine.set_aside
    assert partition.quarantine.choose_size() == FULL


def test_refused_dead_letter_is_not_set_aside_again() -> None:
    """Then nothing more can be done, and the worker must say so."""
    quarantine = Quarantine()
    assert quarantine.note_refused([7], MessageSizeTooLargeError()) == 7
    assert quarantine.set_aside[7].reason is DeadLetterReason.TOO_LARGE
    assert quarantine.note_refused([7], InvalidRecordError()) is None


@pytest.mark.parametrize("items", [[], [1, 2]])
def test_nothing_is_set_aside_without_proof(items: list[Item]) -> None:
    """A batch with several items, or with none, has no culprit."""
    quarantine = Quarantine()
    assert quarantine.note_refused(items, MessageSizeTooLargeError()) is None
    assert not quarantine.set_aside


def test_invalid_record_is_known() -> None:
    """The client library has no class of its own for it."""
    assert for_code(87) is InvalidRecordError


@pytest.mark.parametrize(("partitions", "entries"), [(0, 4_000), (4, 4_000), (8, 2_000), (16, 1_000), (500, 1_000)])
def test_more_partitions_have_smaller_batches(partitions: int, entries: int) -> None:
    """Because the memory for all of them together is bounded."""
    assert Quarantine().choose_size(partitions).entries == entries
