"""A lost state topic: what the journal and the published deadlines give is what was lost."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from bridge.core.attempt import Followed, Parked, Policy, State, compute_forget_time
from bridge.core.delivery import Source, Status
from bridge.core.entries import Report, Sent
from bridge.core.schedule import Schedule
from bridge.core.timestamps import parse_rfc3339
from bridge.journal.serde import encode_entry
from bridge.state.partition import PartitionStore
from bridge.state.store import Store
from bridge.tracker.batch import Batch
from bridge.tracker.state_rebuild import Refold, TimerEffects
from tests.support.core.story import SENT_AT, report, sent

SECOND = 1_000
POLICY = Policy(park_for=20 * SECOND, remember_for=15 * SECOND)


class Step(NamedTuple):
    """An entry of the journal, and what happened before it."""

    wait_ms: int
    timers_run: bool
    """Whether the tracker ran its timers before: a deadline may wait for a poll."""
    number: int
    """Of the attempt."""
    status: Status | None
    """None: it was sent."""


STEPS = st.builds(
    Step,
    st.sampled_from([0, 1, 999, 1_000, 7_000, 30_000]),
    st.booleans(),
    st.integers(0, 2),
    st.none() | st.sampled_from([Status.SENT, Status.DELIVERED, Status.FAILED]),
)


class Record(NamedTuple):
    """A record of the journal, as the client returns it."""

    offset: int
    timestamp: int
    key: bytes
    value: bytes


class LiveTracker:
    """Folds entries as they come, and keeps what a tracker would have in Kafka."""

    def __init__(self, store: PartitionStore) -> None:
        self._store, self.now = store, SENT_AT
        self.journal: list[Record] = []
        self._sent_at: dict[int, int] = {}
        self._deadlines: dict[str, int] = {}
        self._discarded: set[int] = set()
        self.effects = TimerEffects(self._deadlines, self._discarded)

    def run(self, step: Step) -> None:
        """Run a step."""
        self.now += step.wait_ms
        if step.timers_run:
            self.expire()
        entry = self._make_entry(step)
        if self._repeats_parked(entry):
            return
        record = Record(len(self.journal), self.now, entry.key.encode(), encode_entry(entry))
        self.journal.append(record)
        batch = Batch(self._store, POLICY)
        batch.fold([record])
        self._commit(batch)

    def expire(self) -> None:
        """Run the timers."""
        batch = Batch(self._store, POLICY)
        batch.expire(self._store.due(self.now, 10), self.now)
        self._commit(batch)

    def _make_entry(self, step: Step) -> Sent | Report:
        names = {"provider_message_id": f"p-{step.number}"}
        if step.status:
            return replace(report(step.status), raw=str(len(self.journal)), **names)
        at = self._sent_at.setdefault(step.number, self.now)  # a sent event that is read again is the same one
        return replace(
            sent(), message_id=f"m-{step.number}", sent_at=at, starts_at=at, gives_up_at=at + 10_000, **names
        )

    def _repeats_parked(self, entry: Sent | Report) -> bool:
        """Whether a report repeats a parked one: then nothing tells whether that was discarded before or after it."""
        [known] = self._store.get([entry.key])
        reports = known.state.reports if known and isinstance(known.state, Parked) else ()
        return isinstance(entry, Report) and any(parked.verdict.status is entry.status for parked in reports)

    def _commit(self, batch: Batch) -> None:
        self._store.apply(batch.changes, "journal", 1)
        for publication in batch.publications:
            if publication.delivery.source is Source.DEADLINE:
                at = parse_rfc3339(publication.delivery.observed_at)
                assert at is not None
                self._deadlines[publication.delivery.event_id] = at
        self._discarded.update(letter.rejection.offset for letter in batch.dead_letters)


def _list_states(store: PartitionStore, now: int) -> list[State]:
    """List what is known of the attempts; what is due to be forgotten counts as forgotten."""
    keys = [f"dexatel:default:p-{number}" for number in range(3)]
    states = [one.state if one else None for one in store.get(keys)]
    return [
        None if isinstance(state, Followed) and state.final_at and compute_forget_time(state, POLICY) <= now else state
        for state in states
    ]


@settings(max_examples=150)
@given(st.lists(STEPS, max_size=25), st.booleans())
def test_rebuilt_states_are_what_they_were(steps: Sequence[Step], ends: bool) -> None:  # noqa: FBT001
    """Whenever timers ran, and also where the tracker stopped before it ran them."""
    with TemporaryDirectory() as folder:
        stores = [Store(Path(folder) / name, Schedule(POLICY, {})) for name in ("live", "rebuilt")]
        live, rebuilt = (store.partition(0) for store in stores)
        tracker = LiveTracker(live)
        for step in steps:
            tracker.run(step)
        if ends:
            tracker.expire()
        refold = Refold(rebuilt, POLICY, tracker.effects)
        for _ in (*refold.fold(tracker.journal), *refold.finish(tracker.now)):
            pass
        assert _list_states(rebuilt, tracker.now) == _list_states(live, tracker.now)
        for store in stores:
            store.close()
