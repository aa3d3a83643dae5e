"""A clock in a wrong time zone is detected; late reports are not."""

import random

import pytest

from bridge.receiver.clock_skew import SAMPLE_SIZE, ClockSkewDetector


def detect(skew: ClockSkewDetector, *seconds: float) -> list[int]:
    """List the skews that are detected in reports whose times are this many seconds after the bridge's."""
    return [hours for hours in map(skew.observe, seconds) if hours is not None]


@pytest.mark.parametrize("hours", [-11, -1, 1, 3, 14])
def test_a_clock_that_is_off_by_whole_hours_is_reported_once(hours: int) -> None:
    """A wrong clock is reported once; a delay of minutes doesn't hide it."""
    rng = random.Random(1)
    offsets = [hours * 3600 - rng.uniform(0, 300) for _ in range(10 * SAMPLE_SIZE)]
    assert detect(ClockSkewDetector(), *offsets) == [hours]


def test_late_reports_are_not_a_wrong_clock() -> None:
    """After an outage, reports are hours late, each by another time."""
    rng = random.Random(1)
    assert not detect(ClockSkewDetector(), *(-rng.uniform(0, 12 * 3600) for _ in range(500)))
    assert not detect(ClockSkewDetector(), *[-3600.0] * (SAMPLE_SIZE // 2), *[-1.0] * 500)
    assert not detect(ClockSkewDetector(), *[3600.0] * (SAMPLE_SIZE - 1))


def test_what_no_zone_explains_is_not_reported() -> None:
    """Half hours, days and the year 1970 are not a wrong time zone."""
    for seconds in (1800.0, 24 * 3600.0, -1.7e9, 20 * 3600.0):
        assert not detect(ClockSkewDetector(), *[seconds] * 100)


def test_it_is_reported_again_after_it_was_right() -> None:
    """A clock that is wrong again after it was right is reported again."""
    skew = ClockSkewDetector()
    assert detect(skew, *[3600.0] * SAMPLE_SIZE, *[0.0] * SAMPLE_SIZE, *[3600.0] * SAMPLE_SIZE) == [1, 1]
