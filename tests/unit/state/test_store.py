"""The database of attempts on a real disk: reopened, in use, damaged, without space."""

import subprocess
import sys
from pathlib import Path

import pytest
from rocksdict import ReadOptions

from bridge.core.attempt import Policy
from bridge.core.errors import ConfigurationError, StoreCorruptedError
from bridge.core.schedule import Schedule
from bridge.state.store import Store
from tests.support.state.attempts import ACCOUNT, FOLLOWED, SCHEDULE, key, put


def spoil(folder: Path) -> None:
    """Damage a database where opening it doesn't check: in the entries, not in their index."""
    for table in (folder / "attempts").glob("*.sst"):
        sound = table.read_bytes()
        table.write_bytes(bytes(byte ^ 1 for byte in sound[:60_000]) + sound[60_000:])


def test_a_cache_outlives_its_process(tmp_path: Path) -> None:
    """After a clean end, position, states and counts are there again."""
    store = Store(tmp_path, SCHEDULE)
    attempts = store.partition(3)
    put(attempts, {key(1): FOLLOWED}, offset=77)
    attempts.flush()
    del attempts
    store.close()
    del store
    again = Store(tmp_path, SCHEDULE).partition(3)
    assert again.position is not None
    assert (again.position.offset, again.position.journal_id) == (77, "incarnation")
    assert again.followed["dexatel"] == 1
    assert again.get([key(1)])[0] is not None


def test_cache_of_other_settings_is_discarded(tmp_path: Path) -> None:
    """With other schedules the stored order of times is wrong."""
    for ages, usable in (((1_000,), False), ((1_000,), True), ((5_000,), False)):
        store = Store(tmp_path, Schedule(Policy(), {ACCOUNT: ages}))
        attempts = store.partition(3)
        assert (attempts.position is not None) is usable
        put(attempts, {key(1): FOLLOWED})
        del attempts
        store.close()
        del store


def test_damaged_database_is_moved_aside(tmp_path: Path) -> None:
    """It is kept for inspection, and a new one is created."""
    folder = tmp_path / "attempts"
    folder.mkdir()
    (folder / "CURRENT").write_text("nonsense")
    attempts = Store(tmp_path, SCHEDULE).partition(0)
    assert attempts.position is None
    assert (tmp_path / "attempts.damaged" / "CURRENT").read_text() == "nonsense"


def test_folder_of_another_process_is_refused(tmp_path: Path) -> None:
    """The first process is not affected, and nothing is moved aside."""
    code = (
        "import sys; from pathlib import Path; from bridge.core.attempt import Policy\n"
        "from bridge.state.store import Store; from bridge.core.schedule import Schedule\n"
        f"store = Store(Path({str(tmp_path)!r}), Schedule(Policy(), {{}}))\n"
        "print('open', flush=True); sys.stdin.read(); store.partition(0).apply([], 'journal', 7); store.close()\n"
    )
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:  # noqa: S603 - our own
        assert other.stdout is not None
        assert other.stdout.readline() == b"open\n"
        with pytest.raises(ConfigurationError, match="STATE__DIRECTORY: another process uses"):
            Store(tmp_path, SCHEDULE)
        other.communicate()
    assert [path.name for path in tmp_path.iterdir()] == ["attempts"]
    known = Store(tmp_path, Schedule(Policy(), {})).partition(0).position
    assert known is not None
    assert known.offset == 7


def test_damaged_cache_in_use_is_renewed_later(tmp_path: Path) -> None:
    """Whoever reads it holds it open; that is no fault of settings."""
    store = Store(tmp_path, SCHEDULE)
    put(store.partition(0), {key(1): FOLLOWED})
    reading = store._db.iter(ReadOptions())  # noqa: SLF001 - as somebody does who is in the middle of it
    with pytest.raises(StoreCorruptedError, match="still holds"):
        store.rebuild()
    del reading
    store.rebuild()
    [known] = store.partition(0).get([key(1)])
    assert known is not None
    assert known.state == FOLLOWED


def test_a_cache_that_turns_out_damaged_is_put_aside(tmp_path: Path) -> None:
    """What can be opened but not read says so in one kind of error, and is out of the way at the next start."""
    store = Store(tmp_path, SCHEDULE)
    attempts = store.partition(0)
    put(attempts, {key(number): FOLLOWED for number in range(2_000)})
    attempts.flush()
    del attempts
    store.close()
    del store
    spoil(tmp_path)
    store = Store(tmp_path, SCHEDULE)
    with pytest.raises(StoreCorruptedError):
        store.partition(0).due(2**62, 10)
    store.close()
    del store
    assert (tmp_path / "attempts.damaged").is_dir()
    assert Store(tmp_path, SCHEDULE).partition(0).position is None


def test_a_damaged_cache_is_renewed_while_it_is_in_use(tmp_path: Path) -> None:
    """Whoever still holds what was damaged gets the same error; what is made anew is empty, and works."""
    store = Store(tmp_path, SCHEDULE)
    for number in (0, 1):
        put(store.partition(number), {key(number): FOLLOWED for number in range(2_000)})
        store.partition(number).flush()
    store.close()
    store = Store(tmp_path, SCHEDULE)
    old = store.partition(0)
    spoil(tmp_path)
    with pytest.raises(StoreCorruptedError):
        old.get([key(number) for number in range(2_000)])
    with pytest.raises(StoreCorruptedError):
        store.check()
    store.rebuild()
    store.check()
    with pytest.raises(StoreCorruptedError):
        old.get([key(1)])
    with pytest.raises(StoreCorruptedError):
        old.postpone_poll(key(1), 1, 1)
    store.check()
    new = store.partition(0)
    assert (new.position, new.get([key(1)])) == (None, [None])
    put(new, {key(1): FOLLOWED})
    assert new.due_polls(ACCOUNT, 2**62, 10)
    store.close()
    assert (tmp_path / "attempts.damaged").is_dir()


def test_full_disk_is_one_line(tmp_path: Path) -> None:
    """The error names the setting and the reason, without a traceback."""
    script = (
        "import resource, sys; from pathlib import Path; from bridge.core.attempt import Policy\n"
        "from bridge.core.errors import ConfigurationError; from bridge.state.store import Store\n"
        "from bridge.core.schedule import Schedule\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))\n"
        "try: Store(Path(sys.argv[1]), Schedule(Policy(), {}))\n"
        "except ConfigurationError as error: sys.exit(str(error))\n"
    )
    done = subprocess.run(  # noqa: S603 - our own Python
        [sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith(f"SMS_BRIDGE_STATE__DIRECTORY: no database can be created in {tmp_path}")
    assert "Traceback" not in done.stderr
