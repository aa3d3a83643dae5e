"""A report that waits only because of its id's form: the setting that helps is named, once."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from bridge.core.attempt import Followed, Parked, Policy
from bridge.core.schedule import Schedule
from bridge.kafka.partitioner import partition_for
from bridge.observability.metrics import PartitionMetrics
from bridge.state.keys import StateChange
from bridge.state.ownership import OwnedPartitions
from bridge.state.serde import encode_state
from bridge.state.store import Store
from bridge.tracker.id_hints import IdHints

PARTITIONS = 4
FOLLOWED = Followed("m-1", 1_000, 1_000, 100_000, None, None, {}, None)
SETTING = "SMS_BRIDGE_WEBHOOKS__ACME__ID_FORM"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An empty store."""
    store = Store(tmp_path, Schedule(Policy(), {}))
    yield store
    store.close()


def put(store: Store, message_id: str, state: Followed | Parked) -> None:
    """Store an attempt in its partition."""
    key = f"acme:default:{message_id}"
    partition = store.partition(partition_for(key.encode(), PARTITIONS))
    partition.apply([StateChange(key, None, state, encode_state(state))], "journal", 1)


def look(store: Store, *, caught_up: bool = True) -> list[tuple[str, str]]:
    """Return the forms of the warnings with the ids that are followed, after two looks."""
    owned = OwnedPartitions(PARTITIONS, PartitionMetrics(CollectorRegistry()))
    for number in range(PARTITIONS):
        owned.add(number, store.partition(number)).caught_up = caught_up
    hints = IdHints(owned, {"acme:default": SETTING})
    with capture_logs() as logs:
        hints.look()
        hints.look()
    assert all(line["setting"] == SETTING for line in logs)
    return [(line["form"], line["followed"]) for line in logs]


@pytest.mark.parametrize(
    ("sent", "reported", "form"),
    [
        ("c41d07ea-2b3f", "C41D07EA-2B3F", "casefold"),
        ("C41D07EA", "c41d07ea", "casefold"),
        ("0ad51c77", "ad51c77", "strip-leading-zeros"),
        ("ad51c77", "000ad51c77", "strip-leading-zeros"),
        ("d772-0c1b", "d772-0c1b:1", "cut::"),
        ("{9F2C}", "9F2C", "strip-braces"),
        ("6b2e40d1", "1798193361", "hexadecimal-sent"),
        ("1798193361", "6B2E40D1", "hexadecimal-reported"),
    ],
)
def test_the_form_that_would_help_is_named(store: Store, sent: str, reported: str, form: str) -> None:
    """Whatever partition the other id is in."""
    put(store, sent, FOLLOWED)
    put(store, reported, Parked(50_000, ()))
    put(store, "another", Parked(40_000, ()))
    assert look(store) == [(form, sent)]


def test_nothing_is_said_otherwise(store: Store) -> None:
    """Not of ids that nobody sent, nor of parked ones, nor before the journal is read."""
    put(store, "abc", Parked(50_000, ()))
    put(store, "ABC", Parked(50_000, ()))
    put(store, "0123", Parked(50_000, ()))
    assert look(store) == []
    put(store, "123", FOLLOWED)
    assert look(store, caught_up=False) == []
    assert look(store) == [("strip-leading-zeros", "123")]
