"""The contents of a transaction, made from records and timers, with a real cache."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from msgspec.structs import replace

from bridge.core.attempt import MAX_PARKED_RAW_CHARS, Followed, Policy
from bridge.core.delivery import Status
from bridge.core.entries import Entry
from bridge.core.schedule import Schedule
from bridge.journal.horizon import Horizon
from bridge.journal.serde import encode_entry
from bridge.journal.writer import MAX_ENTRY_BYTES
from bridge.state.keys import StateChange
from bridge.state.partition import PartitionStore
from bridge.state.serde import encode_state
from bridge.state.store import Store
from bridge.tracker.batch import Batch
from tests.support.core.story import KEY, POLICY, SENT_AT, report, sent


class Record(NamedTuple):
    """A record of the journal, as the client returns it."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None


def records(*entries: Entry | bytes) -> list[Record]:
    """Return entries as records, a second apart."""
    values = [entry if isinstance(entry, bytes) else encode_entry(entry) for entry in entries]
    return [Record(n, SENT_AT + n * 1000, KEY.encode(), value) for n, value in enumerate(values)]


@pytest.fixture
def attempts(tmp_path: Path) -> Iterator[PartitionStore]:
    """An empty partition."""
    store = Store(tmp_path, Schedule(Policy(), {}))
    yield store.partition(0)
    store.close()


def test_batch_sees_its_own_changes(attempts: PartitionStore) -> None:
    """A sent event and its reports in one batch give one change of state."""
    batch = Batch(attempts, POLICY)
    batch.fold(records(sent(), report(Status.SENT), report(Status.DELIVERED)))
    assert [publication.delivery.status for publication in batch.publications] == ["sent", "delivered"]
    (change,) = batch.changes
    assert (change.key, change.before) == (KEY, None)
    assert batch.next_offset == 3


def test_invalid_record_becomes_a_dead_letter(attempts: PartitionStore) -> None:
    """A foreign record in the journal is kept unchanged, and the batch continues."""
    batch = Batch(attempts, POLICY)
    batch.fold(records(b"not an entry", sent(), report(Status.DELIVERED)))
    (letter,) = batch.dead_letters
    assert (letter.rejection.reason, letter.rejection.offset, letter.value) == ("malformed", 0, b"not an entry")
    assert len(batch.publications) == 1


def test_record_key_is_not_needed(attempts: PartitionStore) -> None:
    """The attempt is taken from the entry; the record's key is ignored."""
    batch = Batch(attempts, POLICY)
    batch.fold([Record(0, SENT_AT, None, encode_entry(sent()))])
    assert [change.key for change in batch.changes] == [KEY]


def test_duplicates_leave_nothing_to_write(attempts: PartitionStore) -> None:
    """They are counted."""
    batch = Batch(attempts, POLICY)
    batch.fold(records(sent(), report(Status.DELIVERED)))
    attempts.apply(batch.changes, "incarnation", 1)
    again = Batch(attempts, POLICY)
    again.fold(records(sent(), report(Status.DELIVERED)))
    assert again.empty
    assert again.outcomes == {("dexatel", "sent", "duplicate"): 1, ("dexatel", "callback", "duplicate"): 1}


def test_internal_error_stops_one_attempt_only(attempts: PartitionStore) -> None:
    """A state that fails becomes a dead letter; the other timers still expire."""
    broken = Followed("m-1", 10**17, SENT_AT, SENT_AT + 5, None, None, {}, None)  # no calendar has that day
    sound = replace(broken, sent_at=SENT_AT)
    keys = ["dexatel:default:broken", "dexatel:default:sound"]
    changes = [
        StateChange(key, None, state, encode_state(state)) for key, state in zip(keys, (broken, sound), strict=True)
    ]
    attempts.apply(changes, "incarnation", 1)
    batch = Batch(attempts, POLICY)
    batch.expire(keys, SENT_AT + 10)
    assert [publication.delivery.provider_message_id for publication in batch.publications] == ["sound"]
    assert [letter.rejection.reason for letter in batch.dead_letters] == ["internal"]
    assert {change.key: change.after is None for change in batch.changes} == {keys[0]: True, keys[1]: False}


def test_timer_waits_for_entries_of_its_batch(attempts: PartitionStore) -> None:
    """An attempt whose report is in this batch doesn't expire in it."""
    state = Followed("m-1", SENT_AT, SENT_AT, SENT_AT + 5, None, None, {}, None)
    attempts.apply([StateChange(KEY, None, state, encode_state(state))], "incarnation", 1)
    batch = Batch(attempts, POLICY)
    batch.fold(records(report(Status.DELIVERED)))
    batch.expire([KEY], SENT_AT + 10)
    assert [publication.delivery.status for publication in batch.publications] == ["delivered"]


def test_dead_letters_of_parked_reports_are_self_contained(attempts: PartitionStore) -> None:
    """A parked report that nobody sent keeps its raw text: its dead letter needs no second read of the journal."""
    parked = [report(Status.SENT, raw="message_uuid=1&status=sent"), report(Status.DELIVERED, raw="\ufeff{}")]
    batch = Batch(attempts, POLICY)
    batch.fold(records(*parked))
    attempts.apply(batch.changes, "journal", 1)
    ended = Batch(attempts, POLICY)
    ended.expire([KEY], SENT_AT + POLICY.park_for * 2)
    assert [letter.value for letter in ended.dead_letters] == [one.raw.encode() for one in parked]
    assert [letter.origin for letter in ended.dead_letters] == [None, None]


def test_long_parked_reports_stay_in_the_journal(attempts: PartitionStore) -> None:
    """The state of a parked attempt stays small, whatever its reports say; their raw text is read again if needed."""
    longest, control = "x" * MAX_PARKED_RAW_CHARS, "\x01" * MAX_PARKED_RAW_CHARS
    batch = Batch(attempts, POLICY)
    batch.fold(records(*(report(status, raw=control) for status in Status), report(None, raw=longest)))
    (change,) = batch.changes
    assert len(change.encoded) < MAX_ENTRY_BYTES
    long = Batch(attempts, POLICY)
    long.fold(records(report(Status.SENT, raw=longest), report(Status.DELIVERED, raw=longest + "x")))
    attempts.apply(long.changes, "journal", 1)
    ended = Batch(attempts, POLICY)
    ended.expire([KEY], SENT_AT + POLICY.park_for * 2)
    assert [letter.value for letter in ended.dead_letters] == [longest.encode(), None]


def test_other_settings_of_an_intake_count_as_changed(attempts: PartitionStore) -> None:
    """During a rolling update, what was forgotten until then is refused as it is after the tracker's own restart."""
    horizon = Horizon(forgotten_until=SENT_AT, settings="old")
    same = Batch(attempts, POLICY, horizon=horizon)
    same.fold(records(replace(sent(), lifetimes="old")))
    assert (len(same.changes), same.compute_horizon(SENT_AT)) == (1, horizon)
    other = Batch(attempts, POLICY, horizon=horizon)
    other.fold(records(replace(sent(), lifetimes="new")))
    assert [letter.rejection.reason for letter in other.dead_letters] == ["too_old"]
    assert other.compute_horizon(SENT_AT) == Horizon(SENT_AT, SENT_AT, other.compute_horizon(0).changed_at, "new")
    unknown = Batch(attempts, POLICY, horizon=horizon)
    unknown.fold(records(sent()))
    assert len(unknown.changes) == 1
