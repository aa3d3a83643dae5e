"""The cache of one partition's attempts, on a real disk."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from rocksdict import ReadOptions

from bridge.codec import encode_state
from bridge.core.attempt import Followed, Parked, ParkedReport, Policy, State, due_at
from bridge.core.delivery import Status
from bridge.core.errors import Damaged, Misconfigured
from bridge.tracker.attempts import Attempts
from bridge.tracker.layout import Change, Known
from bridge.tracker.store import Store
from bridge.tracker.timetable import Timetable
from tests.core.story import SENT_AT, report

ACCOUNT = "dexatel:default"
TIMETABLE = Timetable(Policy(), {ACCOUNT: (1_000, 2_000, 4_000)})
FOLLOWED = Followed("m-1", SENT_AT, SENT_AT, SENT_AT + 100_000, None, None, {}, None)
PARKED = Parked(SENT_AT + 50_000, (ParkedReport(1, report(Status.SENT)._replace(raw="")),))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An empty database."""
    store = Store(tmp_path, TIMETABLE)
    yield store
    store.close()


@pytest.fixture
def attempts(store: Store) -> Attempts:
    """An empty partition."""
    return store.partition(3)


def key(number: int) -> str:
    """An attempt's key."""
    return f"{ACCOUNT}:{number:04}"


def ask(attempts: Attempts, now: int) -> Known | None:
    """Take the first attempt's poll, whenever it is due."""
    due = next((due for due, name in attempts.due_polls(ACCOUNT, 2**62, 10) if name == key(1)), 0)
    return attempts.ask(key(1), due, now)


def put(attempts: Attempts, states: dict[str, State], offset: int = 1) -> None:
    """Write states as a committed transaction would."""
    known = attempts.get(list(states))
    changes = [
        Change(name, before, state, encode_state(state) if state else b"")
        for (name, state), before in zip(states.items(), known, strict=True)
    ]
    attempts.apply(changes, "incarnation", offset)


def spoil(folder: Path) -> None:
    """Damage a database where opening it doesn't look: the entries, not their index."""
    for table in (folder / "attempts").glob("*.sst"):
        sound = table.read_bytes()
        table.write_bytes(bytes(byte ^ 1 for byte in sound[:60_000]) + sound[60_000:])


def test_what_is_written_is_found(attempts: Attempts) -> None:
    """A state is found with its timer and its first poll; an unknown one isn't."""
    put(attempts, {key(1): FOLLOWED})
    known, unknown = attempts.get([key(1), key(2)])
    assert known is not None
    assert (known.state, known.timer) == (FOLLOWED, SENT_AT + 100_000)
    assert SENT_AT + 1_000 <= known.poll <= SENT_AT + 1_100
    assert unknown is None


def test_timers_run_out_in_order(attempts: Attempts) -> None:
    """Due attempts come parked ones first, each kind by time; what isn't due doesn't come."""
    put(attempts, {key(n): FOLLOWED._replace(ends_at=SENT_AT + n * 1000) for n in (3, 1, 2)} | {key(9): PARKED})
    assert attempts.due(SENT_AT + 2000, 10) == [key(1), key(2)]
    assert attempts.due(SENT_AT + 60_000, 2) == [key(9), key(1), key(2)]
    assert attempts.due(SENT_AT, 10) == []
    assert attempts.next_due() == SENT_AT + 1000


def test_a_timer_moves_with_its_state(attempts: Attempts) -> None:
    """When a state changes, its old timer is gone."""
    put(attempts, {key(1): FOLLOWED})
    final = FOLLOWED._replace(status=Status.DELIVERED, sequence=1, final_at=SENT_AT + 500)
    put(attempts, {key(1): final})
    assert attempts.due(SENT_AT + 100_000, 10) == []
    assert attempts.due(due_at(final, TIMETABLE.policy), 10) == [key(1)]
    put(attempts, {key(1): None})
    assert attempts.due(2**62, 10) == []
    assert attempts.get([key(1)]) == [None]


def test_a_later_entry_with_an_earlier_time_is_found(attempts: Attempts) -> None:
    """Where reading began last time doesn't hide what is due before it."""
    put(attempts, {key(1): FOLLOWED})
    assert attempts.due(SENT_AT + 100_000, 10) == [key(1)]
    put(attempts, {key(2): FOLLOWED._replace(ends_at=SENT_AT + 5)})
    assert attempts.due(SENT_AT + 100_000, 10) == [key(2), key(1)]


def test_a_poll_is_due_once_and_then_on_schedule(attempts: Attempts) -> None:
    """Taking a poll moves it to the next age; a final state has none."""
    put(attempts, {key(1): FOLLOWED})
    assert [name for _, name in attempts.due_polls(ACCOUNT, SENT_AT + 1_200, 10)] == [key(1)]
    assert ask(attempts, SENT_AT + 1_200) is not None
    assert attempts.due_polls(ACCOUNT, SENT_AT + 1_200, 10) == []
    ((due, _),) = attempts.due_polls(ACCOUNT, SENT_AT + 2_300, 10)
    assert SENT_AT + 2_000 <= due <= SENT_AT + 2_200
    put(attempts, {key(1): FOLLOWED._replace(status=Status.DELIVERED, final_at=SENT_AT)})
    assert attempts.due_polls(ACCOUNT, 2**62, 10) == []
    assert ask(attempts, SENT_AT + 3_000) is None


def test_polls_are_told_apart_by_account(attempts: Attempts) -> None:
    """One account's backlog doesn't hide another's."""
    put(attempts, {key(1): FOLLOWED})
    assert attempts.due_polls("dexatel:def", 2**62, 10) == []
    assert attempts.due_polls("speedocom:default", 2**62, 10) == []


def test_a_poll_taken_during_a_transaction_stays_taken(attempts: Attempts) -> None:
    """A transaction that began before a poll was taken doesn't bring the poll back when it is applied."""
    put(attempts, {key(1): FOLLOWED})
    (before,) = attempts.get([key(1)])
    ask(attempts, SENT_AT + 1_200)
    after = FOLLOWED._replace(status=Status.SENT, sequence=1)
    attempts.apply([Change(key(1), before, after, encode_state(after))], "incarnation", 2)
    assert attempts.due_polls(ACCOUNT, SENT_AT + 1_500, 10) == []
    assert len(attempts.due_polls(ACCOUNT, SENT_AT + 90_000, 10)) == 1


def test_a_failed_poll_is_asked_again_before_its_next_age(attempts: Attempts) -> None:
    """Asking again comes at the given time, but never after the next age or the end."""
    put(attempts, {key(1): FOLLOWED})
    ask(attempts, SENT_AT + 1_200)
    attempts.ask_again(key(1), SENT_AT + 1_300, SENT_AT + 1_200)
    assert attempts.due_polls(ACCOUNT, SENT_AT + 1_300, 10) == [(SENT_AT + 1_300, key(1))]
    ask(attempts, SENT_AT + 1_300)
    attempts.ask_again(key(1), SENT_AT + 99_000, SENT_AT + 1_300)
    ((due, _),) = attempts.due_polls(ACCOUNT, 2**62, 10)
    assert due <= SENT_AT + 2_200


def test_counts_follow_the_states(attempts: Attempts) -> None:
    """What is followed and what is parked is counted, a provider at a time."""
    put(attempts, {key(1): FOLLOWED, key(2): FOLLOWED, key(3): PARKED})
    assert (attempts.followed["dexatel"], attempts.parked) == (2, 1)
    put(attempts, {key(1): FOLLOWED._replace(status=Status.FAILED, final_at=1), key(3): FOLLOWED})
    assert (attempts.followed["dexatel"], attempts.parked) == (2, 0)
    put(attempts, {key(2): None})
    assert attempts.followed["dexatel"] == 1
    assert attempts.oldest() == {"dexatel": SENT_AT}


def test_what_waits_for_its_end_is_walked_in_slices(attempts: Attempts) -> None:
    """Each once, the nearest end first; what is final or parked isn't among it."""
    waiting = {key(number): FOLLOWED._replace(ends_at=SENT_AT + 1_000 * (50 - number)) for number in range(25)}
    final = FOLLOWED._replace(status=Status.DELIVERED, sequence=1, final_at=SENT_AT)
    put(attempts, {**waiting, key(98): final, key(99): PARKED})
    found, place = attempts.pending(10)
    while place is not None:
        some, place = attempts.pending(10, place)
        found += some
    assert [name for name, _ in found] == sorted(waiting, reverse=True)
    assert dict(found) == waiting


def test_a_cache_outlives_its_process(tmp_path: Path) -> None:
    """After a clean end, position, states and counts are there again."""
    store = Store(tmp_path, TIMETABLE)
    attempts = store.partition(3)
    put(attempts, {key(1): FOLLOWED}, offset=77)
    attempts.flush()
    del attempts
    store.close()
    del store
    again = Store(tmp_path, TIMETABLE).partition(3)
    assert again.position is not None
    assert (again.position.offset, again.position.incarnation) == (77, "incarnation")
    assert again.followed["dexatel"] == 1
    assert again.get([key(1)])[0] is not None


def test_a_cache_of_other_settings_is_not_used(tmp_path: Path) -> None:
    """When schedules change, the order of time on disk is worthless: the cache says that it stands for nothing."""
    for ages, usable in (((1_000,), False), ((1_000,), True), ((5_000,), False)):
        store = Store(tmp_path, Timetable(Policy(), {ACCOUNT: ages}))
        attempts = store.partition(3)
        assert (attempts.position is not None) is usable
        put(attempts, {key(1): FOLLOWED})
        del attempts
        store.close()
        del store


def test_a_partition_that_comes_back_is_the_same(store: Store) -> None:
    """A poll that is still under way when its partition was away shares what it moves with the new owner."""
    assert store.partition(3) is store.partition(3)


def test_an_index_entry_that_is_nobody_s_is_removed(attempts: Attempts) -> None:
    """A poll that isn't the attempt's own is not asked, and not found again."""
    put(attempts, {key(1): FOLLOWED})
    ((due, _),) = attempts.due_polls(ACCOUNT, 2**62, 10)
    assert attempts.ask(key(1), due - 1, SENT_AT) is None
    assert attempts.ask(key(1), due, SENT_AT + 1_500) is not None
    assert attempts.ask(key(1), due, SENT_AT + 1_500) is None


def test_partitions_are_apart(store: Store, attempts: Attempts) -> None:
    """Clearing one partition leaves the others."""
    other = store.partition(4)
    put(attempts, {key(1): FOLLOWED})
    put(other, {key(2): FOLLOWED})
    attempts.clear()
    assert attempts.get([key(1)]) == [None]
    assert attempts.due(2**62, 10) == []
    assert attempts.position is None
    assert other.get([key(2)])[0] is not None


def test_a_damaged_database_is_moved_aside(tmp_path: Path) -> None:
    """A database that can't be opened is kept for whoever wants to look, and a new one begun."""
    folder = tmp_path / "attempts"
    folder.mkdir()
    (folder / "CURRENT").write_text("nonsense")
    attempts = Store(tmp_path, TIMETABLE).partition(0)
    assert attempts.position is None
    assert (tmp_path / "attempts.damaged" / "CURRENT").read_text() == "nonsense"


def test_a_failed_last_poll_is_asked_again_at_the_end_and_after_it(attempts: Attempts) -> None:
    """However long its backoff, an attempt is asked about once more before it ends; past its end as often as wanted."""
    put(attempts, {key(1): FOLLOWED})
    for _ in range(4):
        ask(attempts, SENT_AT + 95_000)
    attempts.ask_again(key(1), SENT_AT + 200_000, SENT_AT + 95_000)
    assert attempts.due_polls(ACCOUNT, 2**62, 10) == [(FOLLOWED.ends_at - 1, key(1))]
    ask(attempts, FOLLOWED.ends_at)
    attempts.ask_again(key(1), FOLLOWED.ends_at + 1_000, FOLLOWED.ends_at)
    assert attempts.due_polls(ACCOUNT, 2**62, 10) == [(FOLLOWED.ends_at + 1_000, key(1))]


def test_a_timer_that_is_put_off_runs_out_once(attempts: Attempts) -> None:
    """It is found at its new time and not at the old one; what changes the attempt sets it anew."""
    put(attempts, {key(1): FOLLOWED, key(2): FOLLOWED})
    attempts.put_off({key(1): FOLLOWED.ends_at + 5_000, "of nobody": 1})
    assert attempts.due(FOLLOWED.ends_at, 10) == [key(2)]
    assert attempts.due(FOLLOWED.ends_at + 5_000, 10) == [key(2), key(1)]
    put(attempts, {key(1): FOLLOWED._replace(status=Status.SENT, sequence=1), key(2): None})
    assert attempts.due(FOLLOWED.ends_at, 10) == [key(1)]
    put(attempts, {key(1): None})
    assert attempts.due(2**62, 10) == []


def test_a_folder_that_another_process_uses_is_left_to_it(tmp_path: Path) -> None:
    """Whoever holds it goes on undisturbed; the second is told what to do, and nothing is moved aside."""
    code = (
        "import sys; from pathlib import Path; from bridge.core.attempt import Policy\n"
        "from bridge.tracker.store import Store; from bridge.tracker.timetable import Timetable\n"
        f"store = Store(Path({str(tmp_path)!r}), Timetable(Policy(), {{}}))\n"
        "print('open', flush=True); sys.stdin.read(); store.partition(0).apply([], 'journal', 7); store.close()\n"
    )
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:  # noqa: S603 - our own
        assert other.stdout is not None
        assert other.stdout.readline() == b"open\n"
        with pytest.raises(Misconfigured, match="STATE__DIRECTORY: another process uses"):
            Store(tmp_path, TIMETABLE)
        other.communicate()
    assert [path.name for path in tmp_path.iterdir()] == ["attempts"]
    known = Store(tmp_path, Timetable(Policy(), {})).partition(0).position
    assert known is not None
    assert known.offset == 7


def test_a_damaged_cache_that_is_still_in_use_is_renewed_a_moment_later(tmp_path: Path) -> None:
    """Whoever reads it holds it open; that is no fault of settings."""
    store = Store(tmp_path, TIMETABLE)
    put(store.partition(0), {key(1): FOLLOWED})
    reading = store._db.iter(ReadOptions())  # noqa: SLF001 - as somebody does who is in the middle of it
    with pytest.raises(Damaged, match="still holds"):
        store.renew()
    del reading
    store.renew()
    [known] = store.partition(0).get([key(1)])
    assert known is not None
    assert known.state == FOLLOWED


def test_a_cache_that_turns_out_damaged_is_put_aside(tmp_path: Path) -> None:
    """What can be opened but not read says so in one kind of error, and is out of the way at the next start."""
    store = Store(tmp_path, TIMETABLE)
    attempts = store.partition(0)
    put(attempts, {key(number): FOLLOWED for number in range(2_000)})
    attempts.flush()
    del attempts
    store.close()
    del store
    spoil(tmp_path)
    store = Store(tmp_path, TIMETABLE)
    with pytest.raises(Damaged):
        store.partition(0).due(2**62, 10)
    store.close()
    del store
    assert (tmp_path / "attempts.damaged").is_dir()
    assert Store(tmp_path, TIMETABLE).partition(0).position is None


def test_a_damaged_cache_is_renewed_while_it_is_in_use(tmp_path: Path) -> None:
    """Whoever still holds what was damaged gets the same error; what is made anew is empty, and works."""
    store = Store(tmp_path, TIMETABLE)
    for number in (0, 1):
        put(store.partition(number), {key(number): FOLLOWED for number in range(2_000)})
        store.partition(number).flush()
    store.close()
    store = Store(tmp_path, TIMETABLE)
    old = store.partition(0)
    spoil(tmp_path)
    with pytest.raises(Damaged):
        old.get([key(number) for number in range(2_000)])
    assert store.damaged
    store.renew()
    assert not store.damaged
    with pytest.raises(Damaged):
        old.get([key(1)])
    with pytest.raises(Damaged):
        old.ask_again(key(1), 1, 1)
    assert not store.damaged
    new = store.partition(0)
    assert (new.position, new.get([key(1)])) == (None, [None])
    put(new, {key(1): FOLLOWED})
    assert new.due_polls(ACCOUNT, 2**62, 10)
    store.close()
    assert (tmp_path / "attempts.damaged").is_dir()


def test_a_disk_without_room_is_refused_in_one_line(tmp_path: Path) -> None:
    """The setting that says where, and why not; no traceback."""
    script = (
        "import resource, sys; from pathlib import Path; from bridge.core.attempt import Policy\n"
        "from bridge.core.errors import Misconfigured; from bridge.tracker.store import Store\n"
        "from bridge.tracker.timetable import Timetable\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))\n"
        "try: Store(Path(sys.argv[1]), Timetable(Policy(), {}))\n"
        "except Misconfigured as error: sys.exit(str(error))\n"
    )
    done = subprocess.run(  # noqa: S603 - our own Python
        [sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith(f"SMS_BRIDGE_STATE__DIRECTORY: no database can be made in {tmp_path}")
    assert "Traceback" not in done.stderr
