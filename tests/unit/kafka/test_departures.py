"""Which partitions are stuck, and when that means that Kafka is away."""

from collections.abc import Iterable

import pytest

from bridge.kafka.departures import STUCK_SECONDS, Departures, Partition
from bridge.kafka.records import Record

LATER = STUCK_SECONDS + 1
J0, J1, J2, D0 = ("journal", 0), ("journal", 1), ("journal", 2), ("dead-letter", 0)


def use(departures: Departures, partitions: Iterable[Partition]) -> None:
    """Let batches depart and be settled at once."""
    for partition in partitions:
        departures.begin([partition], 0.0)
        departures.settle(partition, 0.0)


@pytest.mark.parametrize(
    ("used", "unsettled", "away"),
    [
        ([], [J0], True),
        ([D0], [J0], True),
        ([J1], [J0], False),
        ([J1, J2], [J0], False),
        ([J1], [J0, D0], True),
        ([J2], [J0, J1], True),
        ([J0], [], False),
    ],
)
def test_several_stuck_partitions_mean_that_kafka_is_away(
    used: list[Partition], unsettled: list[Partition], *, away: bool
) -> None:
    """One of several partitions of a topic doesn't, but the only one does."""
    departures = Departures()
    use(departures, used)
    departures.begin(unsettled, 0.0)
    assert not departures.are_stuck(STUCK_SECONDS)
    assert departures.are_stuck(LATER) is away


def test_stuck_partition_is_found_by_its_records() -> None:
    """Until its batches are settled; a partition that departed later isn't stuck yet."""
    departures = Departures()
    departures.begin([J0], 0.0)
    departures.begin([J1], 2.0)
    records = [Record(*J2, b"", b""), Record(*J1, b"", b""), Record(*J0, b"", b"")]
    assert departures.find_stuck(records, STUCK_SECONDS) is None
    assert departures.find_stuck(records, LATER) == J0
    assert departures.find_stuck(records[:2], LATER) is None
    departures.settle(J0, LATER)
    assert J0 not in departures.partitions
    assert departures.find_stuck(records, LATER) is None
    assert departures.find_stuck(records, LATER + 2.0) == J1


def test_partition_that_acknowledges_steadily_is_not_stuck() -> None:
    """However long all of its batches take; one that shows no life is found behind it."""
    departures = Departures()
    departures.begin([J0, J1], 0.0)
    batches = 10
    for _ in range(batches):
        departures.add(J0)
    records = [Record(*J0, b"", b"")]
    for number in range(batches):
        now = 1.0 + number
        departures.settle(J0, now)
        assert departures.find_stuck(records, now + STUCK_SECONDS) is None
        assert departures.find_stuck([*records, Record(*J1, b"", b"")], now + STUCK_SECONDS) == J1
    assert departures.find_stuck(records, batches + LATER) == J0
    departures.settle(J0, batches + LATER)
    assert departures.find_stuck(records, 2 * batches + LATER) is None
