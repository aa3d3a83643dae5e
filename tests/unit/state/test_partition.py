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
    """Take the first attempt's poll."""
    due = next((due for due, name in attempts.due_polls(ACCOUNT, 2**62, 10) if name == key(1)), 0)
    return attempts.take_poll(key(1), due, now)


def test_written_state_is_found(attempts: PartitionStore) -> None:
    """With its timer and its first poll; an unknown key has none."""
    put(attempts, {key(1): FOLLOWED})
    known, unknown = attempts.get([key(1), key(2)])
    assert known is not None
    assert (known.state, known.timer) == (FOLLOWED, SENT_AT + 100_000)
    assert SENT_AT + 1_000 <= known.poll <= SENT_AT + 1_100
    assert unknown is None


def test_timers_expire_in_order(attempts: PartitionStore) -> None:
    """Ends first, each kind by time, and only due ones."""
    put(attempts, {key(n): replace(FOLLOWED, ends_at=SENT_AT + n * 1000) for n in (3, 1, 2)} | {key(9): PARKED})
    assert attempts.due(SENT_AT + 2000, 10) == [key(1), key(2)]
    assert attempts.due(SENT_AT + 60_000, 2) == [key(1), key(2), key(9)]
    assert attempts.due(SENT_AT, 10) == []
    assert attempts.next_due() == SENT_AT + 1000


def test_timer_moves_with_its_state(attempts: PartitionStore) -> None:
    """A changed state removes its old timer."""
    put(attempts, {key(1): FOLLOWED})
    final = replace(FOLLOWED, status=Status.DELIVERED, sequence=1, final_at=SENT_AT + 500)
    put(attempts, {key(1): final})
    assert attempts.due(SENT_AT + 100_000, 10) == []
    assert attempts.due(compute_timer(final, SCHEDULE.policy), 10) == [key(1)]
    put(attempts, {key(1): None})
    assert attempts.due(2**62, 10) == []
    assert attempts.get([key(1)]) == [None]


def test_later_entry_with_an_earlier_time_is_found(attempts: PartitionStore) -> None:
    """The remembered start of the scan doesn't hide earlier timers."""
    put(attempts, {key(1): FOLLOWED})
    assert attempts.due(SENT_AT + 100_000, 10) == [key(1)]
    put(attempts, {key(2): replace(FOLLOWED, ends_at=SENT_AT + 5)})
    assert attempts.due(SENT_AT + 100_000, 10) == [key(2), key(1)]


def test_poll_is_due_once_per_age(attempts: PartitionStore) -> None:
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


def test_reused_id_is_polled_like_any_other(attempts: PartitionStore) -> None:
    """An attempt that follows a final one under the same key has its own schedule."""
    put(attempts, {key(1): replace(FOLLOWED, status=Status.DELIVERED, final_at=SENT_AT)})
    later = replace(FOLLOWED, message_id="another", sent_at=SENT_AT + 1_000, starts_at=SENT_AT + 1_000)
    put(attempts, {key(1): later})
    assert [name for _, name in attempts.due_polls(ACCOUNT, SENT_AT + 2_200, 10)] == [key(1)]


def test_polling_that_was_ended_stays_so(attempts: PartitionStore) -> None:
    """A report doesn't begin it again."""
    put(attempts, {key(1): FOLLOWED})
    attempts.end_polling(key(1))
    put(attempts, {key(1): replace(FOLLOWED, status=Status.SENT, sequence=1)})
    assert attempts.due_polls(ACCOUNT, 2**62, 10) == []


def test_polls_are_separate_by_account(attempts: PartitionStore) -> None:
    """One account's backlog doesn't hide another's polls."""
    put(attempts, {key(1): FOLLOWED})
    assert attempts.due_polls("dexatel:def", 2**62, 10) == []
    assert attempts.due_polls("speedocom:default", 2**62, 10) == []


def test_poll_taken_during_a_transaction_stays_taken(attempts: PartitionStore) -> None:
    """Applying a transaction that began earlier doesn't make the poll due again."""
    put(attempts, {key(1): FOLLOWED})
    (before,) = attempts.get([key(1)])
    ask(attempts, SENT_AT + 1_200)
    after = replace(FOLLOWED, status=Status.SENT, sequence=1)
    attempts.apply([StateChange(key(1), before, after, encode_state(after))], "incarnation", 2)
    assert attempts.due_polls(ACCOUNT, SENT_AT + 1_500, 10) == []
    assert len(attempts.due_polls(ACCOUNT, SENT_AT + 90_000, 10)) == 1


def test_failed_poll_is_retried_before_its_next_age(attempts: PartitionStore) -> None:
    """The retry is at the given time, but never after the next age or the deadline."""
    put(attempts, {key(1): FOLLOWED})
    ask(attempts, SENT_AT + 1_200)
    attempts.postpone_poll(key(1), SENT_AT + 1_300, SENT_AT + 1_200)
    assert attempts.due_polls(ACCOUNT, SENT_AT + 1_300, 10) == [(SENT_AT + 1_300, key(1))]
    ask(attempts, SENT_AT + 1_300)
    attempts.postpone_poll(key(1), SENT_AT + 99_000, SENT_AT + 1_300)
    ((due, _),) = attempts.due_polls(ACCOUNT, 2**62, 10)
    assert due <= SENT_AT + 2_200


def test_counts_follow_the_states(attempts: PartitionStore) -> None:
    """Followed and parked attempts are counted by provider."""
    put(attempts, {key(1): FOLLOWED, key(2): FOLLOWED, key(3): PARKED})
    assert (attempts.followed["dexatel"], attempts.parked) == (2, 1)
    put(attempts, {key(1): replace(FOLLOWED, status=Status.FAILED, final_at=1), key(3): FOLLOWED})
    assert (attempts.followed["dexatel"], attempts.parked) == (2, 0)
    put(attempts, {key(2): None})
    assert attempts.followed["dexatel"] == 1
    assert attempts.oldest() == {"dexatel": SENT_AT}


def test_open_attempts_are_walked_in_slices(attempts: PartitionStore) -> None:
    """Each once, by deadline; final and parked ones are omitted."""
    waiting = {key(number): replace(FOLLOWED, ends_at=SENT_AT + 1_000 * (50 - number)) for number in range(25)}
    final = replace(FOLLOWED, status=Status.DELIVERED, sequence=1, final_at=SENT_AT)
    put(attempts, {**waiting, key(98): final, key(99): PARKED})
    found, place = attempts.pending(10)
    while place is not None:
        some, place = attempts.pending(10, place)
        found += some
    assert [name for name, _ in found] == sorted(waiting, reverse=True)
    assert dict(found) == waiting


def test_returning_partition_is_the_same_object(store: Store) -> None:
    """A poll that started before the partition left updates the new owner's index."""
    assert store.partition(3) is store.partition(3)


def test_stale_index_entry_is_removed(attempts: PartitionStore) -> None:
    """A poll that doesn't match its attempt is not made, and is removed."""
    put(attempts, {key(1): FOLLOWED})
    ((due, _),) = attempts.due_polls(ACCOUNT, 2**62, 10)
    assert attempts.take_poll(key(1), due - 1, SENT_AT) is None
    assert attempts.take_poll(key(1), due, SENT_AT + 1_500) is not None
    assert attempts.take_poll(key(1), due, SENT_AT + 1_500) is None


def test_partitions_are_separate(store: Store, attempts: PartitionStore) -> None:
    """Clearing one partition keeps the others."""
    other = store.partition(4)
    put(attempts, {key(1): FOLLOWED})
    put(other, {key(2): FOLLOWED})
    attempts.clear()
    assert attempts.get([key(1)]) == [None]
    assert attempts.due(2**62, 10) == []
    assert attempts.position is None
    assert other.get([key(2)])[0] is not None


def test_failed_last_poll_is_retried(attempts: PartitionStore) -> None:
    """Whatever its backoff, once more before the deadline, and after it as often as needed."""
    put(attempts, {key(1): FOLLOWED})
    for _ in range(4):
        ask(attempts, SENT_AT + 95_000)
    attempts.postpone_poll(key(1), SENT_AT + 200_000, SENT_AT + 95_000)
    assert attempts.due_polls(ACCOUNT, 2**62, 10) == [(FOLLOWED.ends_at - 1, key(1))]
    ask(attempts, FOLLOWED.ends_at)
    attempts.postpone_poll(key(1), FOLLOWED.ends_at + 1_000, FOLLOWED.ends_at)
    assert attempts.due_polls(ACCOUNT, 2**62, 10) == [(FOLLOWED.ends_at + 1_000, key(1))]


def test_postponed_timer_expires_once(attempts: PartitionStore) -> None:
    """At its new time only; a change of the attempt sets it again."""
    put(attempts, {key(1): FOLLOWED, key(2): FOLLOWED})
    attempts.put_off({key(1): FOLLOWED.ends_at + 5_000, "of nobody": 1})
    assert attempts.due(FOLLOWED.ends_at, 10) == [key(2)]
    assert attempts.due(FOLLOWED.ends_at + 5_000, 10) == [key(2), key(1)]
    put(attempts, {key(1): replace(FOLLOWED, status=Status.SENT, sequence=1), key(2): None})
    assert attempts.due(FOLLOWED.ends_at, 10) == [key(1)]
    put(attempts, {key(1): None})
    assert attempts.due(2**62, 10) == []
