"""A wrong time zone is detected; a late report is not mistaken for one."""

import random

import pytest

from bridge.receiver.clock_skew import SAMPLE_SIZE, ClockSkewDetector


def heard(skew: ClockSkewDetector, *seconds: float) -> list[int]:
    """Return the warnings for reports with these time differences."""
    return [hours for hours in map(skew.observe, seconds) if hours is not None]


@pytest.mark.parametrize("hours", [-11, -1, 1, 3, 14])
def test_whole_hours_are_reported_once(hours: int) -> None:
    """There is one warning; delays of minutes don't hide the skew."""
    chance = random.Random(1)
    offsets = [hours * 3600 - chance.uniform(0, 300) for _ in range(10 * SAMPLE_SIZE)]
    assert heard(ClockSkewDetector(), *offsets) == [hours]


def test_late_reports_are_no_skew() -> None:
    """After an outage reports are hours late, each by a different time."""
    chance = random.Random(1)
    assert not heard(ClockSkewDetector(), *(-chance.uniform(0, 12 * 3600) for _ in range(500)))
    assert not heard(ClockSkewDetector(), *[-3600.0] * (SAMPLE_SIZE // 2), *[-1.0] * 500)
    assert not heard(ClockSkewDetector(), *[3600.0] * (SAMPLE_SIZE - 1))


def test_other_differences_are_not_reported() -> None:
    """Half hours, days and the year 1970 are not explained by a time zone."""
    for seconds in (1800.0, 24 * 3600.0, -1.7e9, 20 * 3600.0):
        assert not heard(ClockSkewDetector(), *[seconds] * 100)


def test_skew_is_reported_again_after_it_was_right() -> None:
    """For example after the change to summer time."""
    skew = ClockSkewDetector()
    assert heard(skew, *[3600.0] * SAMPLE_SIZE, *[0.0] * SAMPLE_SIZE, *[3600.0] * SAMPLE_SIZE) == [1, 1]
