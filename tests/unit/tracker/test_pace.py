"""A partition lets entries gather for as long as others need, and never for long."""

import pytest

from bridge.tracker.pace import MAX_TURN_SECONDS, SHARE, Pace


def paced(*durations: float) -> Pace:
    """Return the pace after transactions of these durations, the last of which began at 100."""
    pace = Pace()
    for duration in durations:
        pace.begin(100.0)
        pace.end(100.0 + duration)
    return pace


def test_first_transaction_waits_for_nobody() -> None:
    """Nothing is known of the others' transactions."""
    assert Pace().compute_pause(11, 100.0) == 0.0


def test_only_partition_never_waits() -> None:
    """There is nobody to give way to."""
    assert paced(0.02).compute_pause(0, 100.0) == 0.0


def test_pause_follows_the_usual_duration() -> None:
    """It counts from the beginning of the last transaction, and grows with the number of the others."""
    pace = paced(*[0.01] * 100)
    assert pace.compute_pause(11, 100.01) == pytest.approx(11 * SHARE * 0.01 - 0.01, abs=1e-4)
    assert pace.compute_pause(23, 100.01) > pace.compute_pause(11, 100.01)
    assert pace.compute_pause(11, 101.0) == 0.0


def test_one_slow_transaction_changes_little() -> None:
    """It is an exception."""
    usual = paced(*[0.01] * 100).compute_pause(11, 100.0)
    assert paced(*[0.01] * 100, 0.02).compute_pause(11, 100.0) < usual * 1.2


def test_slow_kafka_does_not_add_up() -> None:
    """The pause has a limit."""
    assert paced(*[5.0] * 100).compute_pause(11, 100.0) == pytest.approx(11 * MAX_TURN_SECONDS)
