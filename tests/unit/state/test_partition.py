"""The cache of one partition's attempts, on a real disk."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from bridge.core.attempt import compute_timer
from bridge.core.delivery import Status
from bridge.state.keys import StateChange, StoredAttempt
from bridge.state.partition import PartitionStore
from bridge.state.serde import encode_state
from bridge.state.store import Store
from tests.support.core.story import SENT_AT
from tests.support.state.attempts import ACCOUNT, FOLLOWED, PARKED, SCHEDULE, key, put


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An empty database."""
    store = Store(tmp_path, SCHEDULE)
    yield store
    store.close()


@pytest.fixture
def attempts(store: Store) -> PartitionStore:
    """An empty partition."""
    return store.partition(3)


def ask(attempts: PartitionStore, now: int) -> StoredAttempt | None:
    """Take the first attempt's poll, whenever it is due."""
    due = next((due for due, name in attempts.due_polls(ACCOUNT, 2**62, 10) if name == key(1)), 0)
    return attempts.take_poll(key(1), due, now)


def test_what_is_written_is_found(attempts: PartitionStore) -> None:
    """A state is found with its timer and its first poll; an unknown one isn't."""
    put(attempts, {key(1): FOLLOWED})
    known, unknown = attempts.get([key(1), key(2)])
    assert known is not None
    assert (known.state, known.timer) == (FOLLOWED, SENT_AT + 100_000)
    assert SENT_AT + 1_000 <= known.poll <= SENT_AT + 1_100
    assert unknown is None


def test_timers_run_out_in_order(attempts: PartitionStore) -> None:
    """Due attempts come parked ones first, each kind by time; what isn't due doesn't come."""
    put(attempts, {key(n): replace(FOLLOWED, ends_at=SENT_AT + n * 1000) for n in (3, 1, 2)} | {key(9): PARKED})
    assert attempts.due(SENT_AT + 2000, 10) == [key(1), key(2)]
    assert attempts.due(SENT_AT + 60_000, 2) == [key(9), key(1), key(2)]
    assert attempts.due(SENT_AT, 10) == []
    assert attempts.next_due() == SENT_AT + 1000


def test_a_timer_moves_with_its_state(attempts: PartitionStore) -> None:
    """When a state changes, its old timer is gone."""
    put(attempts, {key(1): FOLLOWED})
    final = replace(FOLLOWED, status=Status.DELIVERED, sequence=1, final_at=SENT_AT + 500)
    put(attempts, {key(1): final})
    assert attempts.due(SENT_AT + 100_000, 10) == []
    assert attempts.due(compute_timer(final, SCHEDULE.policy), 10) == [key(1)]
    put(attempts, {key(1): None})
    assert attempts.due(2**62, 10) == []
    assert attempts.get([key(1)]) == [None]


def test_a_later_entry_with_an_earlier_time_is_found(attempts: PartitionStore) -> None:
    """Where reading began last time doesn't hide what is due before it."""
    put(attempts, {key(1): FOLLOWED})
    assert attempts.due(SENT_AT + 100_000, 10) == [key(1)]
    put(attempts, {key(2): replace(FOLLOWED, ends_at=SENT_AT + 5)})
    assert attempts.due(SENT_AT + 100_000, 10) == [key(2), key(1)]


def test_a_poll_is_due_once_and_then_on_schedule(attempts: PartitionStore) -> None:
    """Taking a poll moves it to the next age; a final state has none."""
    put(attempts, {key(1): FOLLOWED})
    assert [name for _, name in attempts.due_polls(ACCOUNT, SENT_AT + 1_200, 10)] == [key(1)]
    assert ask(attempts, SENT_AT + 1_200) is not None
    assert attempts.due_polls(ACCOUNT, SENT_AT + 1_200, 10) == []
    ((due, _),) = attempts.due_polls(ACCOUNT, SENT_AT + 2_300, 10)
    assert SENT_AT + 2_000 <= due <= SENT_AT + 2_200
    put(attempts, {key(1): replace(FOLLOWED, status=Status.DELIVERED, final_at=SENT_AT)})
    assert attempts.due_polls(ACCOUNT, 2**62, 10) == []
    assert ask(attempts, SENT_AT + 3_000) is None


def test_polls_are_told_apart_by_account(attempts: PartitionStore) -> None:
    """One account's backlog doesn't hide another's."""
    put(attempts, {key(1): FOLLOWED})
    assert attempts.due_polls("dexatel:def", 2**62, 10) == []
    assert attempts.due_polls("speedocom:default", 2**62, 10) == []


def test_a_poll_taken_during_a_transaction_stays_taken(attempts: PartitionStore) -> None:
    """A transaction that began before a poll was taken doesn't bring the poll back when it is applied."""
    put(attempts, {key(1): FOLLOWED})
    (before,) = attempts.get([key(1)])
    ask(attempts, SENT_AT + 1_200)
    after = replace(FOLLOWED, status=Status.SENT, sequence=1)
    attempts.apply([StateChange(key(1), before, after, encode_state(after))], "incarnation", 2)
    assert attempts.due_polls(ACCOUNT, SENT_AT + 1_500, 10) == []
    assert len(attempts.due_polls(ACCOUNT, SENT_AT + 90_000, 10)) == 1


def test_a_failed_poll_is_asked_again_before_its_next_age(attempts: PartitionStore) -> None:
    """Asking again comes at the given time, but never after the next age or the end."""
    put(attempts, {key(1): FOLLOWED})
    ask(attempts, SENT_AT + 1_200)
    attempts.postpone_poll(key(1), SENT_AT + 1_300, SENT_AT + 1_200)
    assert attempts.due_polls(ACCOUNT, SENT_AT + 1_300, 10) == [(SENT_AT + 1_300, key(1))]
    ask(attempts, SENT_AT + 1_300)
    attempts.postpone_poll(key(1), SENT_AT + 99_000, SENT_AT + 1_300)
    ((due, _),) = attempts.due_polls(ACCOUNT, 2**62, 10)
    assert due <= SENT_AT + 2_200


def test_counts_follow_the_states(attempts: PartitionStore) -> None:
    """What is followed and what is parked is counted, a provider at a time."""
    put(attempts, {key(1): FOLLOWED, key(2): FOLLOWED, key(3): PARKED})
    assert (attempts.followed["dexatel"], attempts.parked) == (2, 1)
    put(attempts, {key(1): replace(FOLLOWED, status=Status.FAILED, final_at=1), key(3): FOLLOWED})
    assert (attempts.followed["dexatel"], attempts.parked) == (2, 0)
    put(attempts, {key(2): None})
    assert attempts.followed["dexatel"] == 1
    assert attempts.oldest() == {"dexatel": SENT_AT}


def test_what_waits_for_its_end_is_walked_in_slices(attempts: PartitionStore) -> None:
    """Each once, the nearest end first; what is final or parked isn't among it."""
    waiting = {key(number): replace(FOLLOWED, ends_at=SENT_AT + 1_000 * (50 - number)) for number in range(25)}
    final = replace(FOLLOWED, status=Status.DELIVERED, sequence=1, final_at=SENT_AT)
    put(attempts, {**waiting, key(98): final, key(99): PARKED})
    found, place = attempts.pending(10)
    while place is not None:
        some, place = attempts.pending(10, place)
        found += some
    assert [name for name, _ in found] == sorted(waiting, reverse=True)
    assert dict(found) == waiting


def test_a_partition_that_comes_back_is_the_same(store: Store) -> None:
    """A poll that is still under way when its partition was away shares what it moves with the new owner."""
    assert store.partition(3) is store.partition(3)


def test_an_index_entry_that_is_nobody_s_is_removed(attempts: PartitionStore) -> None:
    """A poll that isn't the attempt's own is not asked, and not found again."""
    put(attempts, {key(1): FOLLOWED})
    ((due, _),) = attempts.due_polls(ACCOUNT, 2**62, 10)
    assert attempts.take_poll(key(1), due - 1, SENT_AT) is None
    assert attempts.take_poll(key(1), due, SENT_AT + 1_500) is not None
    assert attempts.take_poll(key(1), due, SENT_AT + 1_500) is None


def test_partitions_are_apart(store: Store, attempts: PartitionStore) -> None:
    """Clearing one partition leaves the others."""
    other = store.partition(4)
    put(attempts, {key(1): FOLLOWED})
    put(other, {key(2): FOLLOWED})
    attempts.clear()
    assert attempts.get([key(1)]) == [None]
    assert attempts.due(2**62, 10) == []
    assert attempts.position is None
    assert other.get([key(2)])[0] is not None


def test_a_failed_last_poll_is_asked_again_at_the_end_and_after_it(attempts: PartitionStore) -> None:
    """However long its backoff, an attempt is asked about once more before it ends; past its end as often as wanted."""
    put(attempts, {key(1): FOLLOWED})
    for _ in range(4):
        ask(attempts, SENT_AT + 95_000)
    attempts.postpone_poll(key(1), SENT_AT + 200_000, SENT_AT + 95_000)
    assert attempts.due_polls(ACCOUNT, 2**62, 10) == [(FOLLOWED.ends_at - 1, key(1))]
    ask(attempts, FOLLOWED.ends_at)
    attempts.postpone_poll(key(1), FOLLOWED.ends_at + 1_000, FOLLOWED.ends_at)
    assert attempts.due_polls(ACCOUNT, 2**62, 10) == [(FOLLOWED.ends_at + 1_000, key(1))]


def test_a_timer_that_is_put_off_runs_out_once(attempts: PartitionStore) -> None:
    """It is found at its new time and not at the old one; what changes the attempt sets it anew."""
    put(attempts, {key(1): FOLLOWED, key(2): FOLLOWED})
    attempts.put_off({key(1): FOLLOWED.ends_at + 5_000, "of nobody": 1})
    assert attempts.due(FOLLOWED.ends_at, 10) == [key(2)]
    assert attempts.due(FOLLOWED.ends_at + 5_000, 10) == [key(2), key(1)]
    put(attempts, {key(1): replace(FOLLOWED, status=Status.SENT, sequence=1), key(2): None})
    assert attempts.due(FOLLOWED.ends_at, 10) == [key(1)]
    put(attempts, {key(1): None})
    assert attempts.due(2**62, 10) == []
