"""What an entry may cost: the fold and all that is written for it.

What the real service needs, beside its peers, is measured by `make bench`.
"""

import time
from pathlib import Path
from typing import NamedTuple

from bench.traffic import generate_journal
from bridge.core.attempt import Policy
from bridge.core.schedule import Schedule
from bridge.state.store import Store
from bridge.tracker.batch import Batch
from bridge.tracker.delivery_records import DeliveryRecords, TopicTarget
from bridge.tracker.transaction import make_state_records
from tests.support.steps import counted_steps

ENTRIES, SLICE = 4_000, 200

MOST_INSTRUCTIONS, MOST_COMPILED_CALLS = 950, 34
"""For an entry: 918 and 32 on Python 3.11, which takes the most, when this was written."""


class Journaled(NamedTuple):
    """A record of the journal with what the fold needs."""

    value: bytes
    offset: int
    timestamp: int


def test_cost_of_an_entry_is_bounded(tmp_path: Path) -> None:
    """Folding and encoding an entry takes no more instructions and calls than when it was last made faster."""
    now = int(time.time() * 1000)
    records = [Journaled(line.value, number, now) for number, line in enumerate(generate_journal(ENTRIES))]
    schedule = Schedule(Policy(), {})
    store = Store(tmp_path, schedule)
    attempts = store.partition(0)
    outlet = DeliveryRecords(TopicTarget("delivery", 12), None, "/budget")
    events = 0
    with counted_steps() as steps:
        for start in range(0, ENTRIES, SLICE):
            batch = Batch(attempts, schedule.policy)
            batch.fold(records[start : start + SLICE])
            events += len(outlet.make(batch.publications))
            changes = batch.changes
            made = make_state_records(changes, "state", 0)
            attempts.apply(changes, "budget", len(made))
    store.close()
    assert events > ENTRIES / 2, "the work was done"
    assert MOST_INSTRUCTIONS / 2 < steps.instructions / ENTRIES < MOST_INSTRUCTIONS
    assert MOST_COMPILED_CALLS / 2 < steps.compiled_calls / ENTRIES < MOST_COMPILED_CALLS
