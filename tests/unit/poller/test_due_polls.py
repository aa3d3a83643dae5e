"""The order of due polls."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from bridge.core.attempt import Followed, Policy
from bridge.core.schedule import Schedule
from bridge.observability.metrics import PartitionMetrics
from bridge.poller.due_polls import FRESH_SHARE, MAX_COUNTED, select_due_polls
from bridge.state.keys import StateChange
from bridge.state.ownership import OwnedPartitions
from bridge.state.partition import PartitionStore
from bridge.state.serde import encode_state
from bridge.state.store import Store

HOUR = 3_600_000
NOW = 1_741_100_000_000


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A cache on disk with one account that is polled an hour after sending."""
    made = Store(tmp_path, Schedule(Policy(), {"dexatel:default": (HOUR,)}))
    yield made
    made.close()


def partition(store: Store, number: int, sent: dict[str, tuple[int, int]]) -> PartitionStore:
    """Return a partition's store with attempts sent and ending at these hours before and after now."""
    attempts: PartitionStore = store.partition(number)
    changes = []
    for name, (since, left) in sent.items():
        state = Followed(name, NOW - since * HOUR, NOW - since * HOUR, NOW + left * HOUR, None, None, {}, None)
        changes.append(StateChange(f"dexatel:default:{name}", None, state, encode_state(state)))
    attempts.apply(changes, "i", len(changes))
    return attempts


def names(questions: Any) -> list[str]:
    """Return the message ids of polls."""
    return [question.key.rsplit(":", 1)[1] for question in questions]


def test_earliest_deadline_is_polled_first(store: Store) -> None:
    """Over all partitions, whenever each poll became due."""
    stores = [
        partition(store, 0, {"a": (20, 5), "b": (30, 1), "early": (0, 40)}),
        partition(store, 1, {"c": (10, 3), "d": (5, 9)}),
    ]
    due = select_due_polls(stores, "dexatel:default", NOW, 10, {"dexatel:default:c"}.__contains__)
    assert names(due.polls) == ["b", "a", "d"]
    assert due.counted == 3


def test_backlog_does_not_delay_new_polls(store: Store) -> None:
    """After a downtime a newly due poll doesn't wait behind thousands of old ones."""
    backlog = {f"old-{number:04}": (30, 1 + number % 10) for number in range(1500)}
    fresh = {f"new-{number}": (2, 45) for number in range(3)}
    stores = [partition(store, 0, backlog | fresh)]
    chosen, counted = select_due_polls(stores, "dexatel:default", NOW, 16, lambda _: False)
    assert counted == MAX_COUNTED
    assert len(chosen) == len(set(names(chosen))) == 16
    assert {name for name in names(chosen) if name.startswith("new")} == set(fresh)
    assert sum(name.startswith("old") for name in names(chosen)) >= 16 - 16 // FRESH_SHARE
    old = [question for question in chosen if question.key.split(":")[2].startswith("old")]
    assert [question.ends_at for question in old[:5]] == [NOW + HOUR] * 5


def test_partitions_behind_are_skipped(store: Store) -> None:
    """A partition that isn't caught up may already have a final status in its journal."""
    owned = OwnedPartitions(2, PartitionMetrics(CollectorRegistry()))
    owned.add(0, partition(store, 0, {"a": (20, 5)}))
    assert not owned.caught_up_stores()
    for one in owned:
        one.caught_up = True
    due = select_due_polls(owned.caught_up_stores(), "dexatel:default", NOW, 10, lambda _: False)
    assert names(due.polls) == ["a"]
