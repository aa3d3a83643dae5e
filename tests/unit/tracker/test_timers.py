"""Timers expire when they are due and the journal has been folded up to that time; the cache is a real one."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka.errors import KafkaTimeoutError
from msgspec.structs import replace

from bridge.core.attempt import Followed, State
from bridge.core.delivery import Status
from bridge.core.schedule import Schedule
from bridge.state.keys import StateChange, StoredAttempt
from bridge.state.partition import PartitionStore
from bridge.state.serde import encode_state
from bridge.state.store import Store
from bridge.tracker.batch import Batch
from bridge.tracker.quarantine import MAX_TIMERS
from bridge.tracker.timers import MIN_PUT_OFF_MS, TimerRules, Timers
from tests.support.core.story import POLICY, SENT_AT

ACCOUNT = "dexatel:default"
END = SENT_AT + 100_000
FOLLOWED = Followed("m-1", SENT_AT, SENT_AT, END, None, None, {}, None)
ONE, TWO = f"{ACCOUNT}:1", f"{ACCOUNT}:2"


class Partition:
    """A partition whose journal, clock and polls are set by the test."""

    def __init__(self, attempts: PartitionStore) -> None:
        self.attempts = attempts
        self.now, self.end, self.asked = END, 0, 0
        self.owed: set[str] = set()
        self.away = False
        self.timers = Timers(attempts, TimerRules(lambda: self.now, self._has_pending_poll, 10))

    def put(self, states: dict[str, State]) -> None:
        """Write states as a committed transaction would."""
        known = self.attempts.get(list(states))
        changes = [
            StateChange(key, before, state, encode_state(state) if state else b"")
            for (key, state), before in zip(states.items(), known, strict=True)
        ]
        self.attempts.apply(changes, "incarnation", 1)

    async def run(self, offset: int) -> list[str]:
        """Run the timers in their own batch, and return the keys of ended attempts."""
        batch = Batch(self.attempts, POLICY)
        await self.timers.run(batch, offset, MAX_TIMERS, self._journal_end)
        return [change.key for change in batch.changes]

    def _has_pending_poll(self, key: str, _known: StoredAttempt, _now: int) -> bool:
        return key in self.owed

    async def _journal_end(self) -> int:
        self.asked += 1
        if self.away:
            raise KafkaTimeoutError
        return self.end


@pytest.fixture
def partition(tmp_path: Path) -> Iterator[Partition]:
    """A partition that follows two attempts."""
    store = Store(tmp_path, Schedule(POLICY, {}))
    partition = Partition(store.partition(0))
    partition.put({ONE: FOLLOWED, TWO: replace(FOLLOWED, ends_at=END + 1_000)})
    yield partition
    store.close()


async def test_no_request_without_a_due_timer(partition: Partition) -> None:
    """An idle partition causes no request."""
    partition.now = END - 1
    assert await partition.run(0) == []
    assert partition.asked == 0


async def test_deadline_waits_for_the_journal(partition: Partition) -> None:
    """When it is due, the end offset is requested; it takes effect after the journal was folded up to it."""
    partition.end = 7
    assert await partition.run(5) == []
    partition.end = 99  # what comes later came too late
    partition.now = END + 5_000
    assert await partition.run(6) == []
    assert await partition.run(7) == [ONE]
    assert partition.asked == 1


async def test_report_during_the_wait_counts(partition: Partition) -> None:
    """A final status that is folded while a deadline waits keeps its own timer."""
    partition.end = 7
    assert await partition.run(5) == []
    partition.put({ONE: replace(FOLLOWED, status=Status.DELIVERED, sequence=1, final_at=END)})
    assert await partition.run(7) == []


async def test_poll_precedes_the_deadline(partition: Partition) -> None:
    """An attempt with a pending poll doesn't end, doesn't hide others, and is checked again soon."""
    partition.owed = {ONE}
    partition.now = END + 1_000
    assert await partition.run(0) == [TWO]
    partition.owed = set()
    partition.put({TWO: None})
    assert await partition.run(0) == []
    partition.now += MIN_PUT_OFF_MS
    assert await partition.run(0) == [ONE]


async def test_unreachable_broker_delays_deadlines(partition: Partition) -> None:
    """Without the end offset nothing expires until the broker is back."""
    partition.away = True
    assert await partition.run(0) == []
    partition.away = False
    assert await partition.run(0) == [ONE]


async def test_new_owner_requests_the_offset_again(partition: Partition) -> None:
    """A deadline's offset from before the partition was lost is not used."""
    partition.end = 7
    assert await partition.run(5) == []
    partition.end = 20
    partition.timers.reset()
    assert await partition.run(7) == []
    assert await partition.run(20) == [ONE]
