"""How fast an account is asked, and when it isn't."""

import random

import pytest

from bridge.poller.pace import (
    CATCH_UP,
    FIRST_PAUSE,
    LEAST_PAUSE,
    LONGEST_PATIENCE,
    LONGEST_PAUSE,
    REFUSED_PAUSE,
    TRIP_AFTER,
    Pace,
    backoff,
)


def make() -> Pace:
    """Ten a second."""
    return Pace(10, random.Random(1))


def asked(per_second: float, share: float, seconds: float, oversleep: float = 0.0) -> list[float]:
    """When questions are asked by one who always has some, and wakes this much late."""
    pace, now, found = Pace(per_second, random.Random(1)), 100.0, []
    while now < 100 + seconds:
        wait = pace.wait(now, share)
        now += wait + oversleep if wait else 0
        found.append(now)
    return found


@pytest.mark.parametrize("oversleep", [0, 0.002, 0.02])
@pytest.mark.parametrize(("per_second", "share"), [(10, 1), (10, 0.5), (1500, 1), (1500, 0.25), (37, 0.5)])
def test_the_rate_is_kept_and_reached(per_second: float, share: float, oversleep: float) -> None:
    """Neither more than the provider allows, nor less because a busy machine wakes us late."""
    found = asked(per_second, share, 60, oversleep)
    assert len(found) / 60 == pytest.approx(per_second * share, rel=0.05)


@pytest.mark.parametrize(("per_second", "share"), [(10, 1), (10, 0.5), (200, 1), (1500, 1)])
def test_there_is_no_burst(per_second: float, share: float) -> None:
    """In no tenth of a second more than the rate, and what may be made up for; not at the start either."""
    found, most = asked(per_second, share, 20), per_second * share * (0.1 + CATCH_UP) + 2
    first = 0
    for number, moment in enumerate(found):
        while found[first] < moment - 0.1:
            first += 1
        assert number - first + 1 <= most


def test_after_a_rest_there_is_no_burst_either() -> None:
    """Quiet hours are not made up for."""
    pace = Pace(100, random.Random(1))
    pace.wait(100, 1)
    assert sum(pace.wait(5000, 1) == 0 for _ in range(100)) <= 100 * CATCH_UP + 1


def test_failures_in_a_row_open_the_circuit() -> None:
    """An account whose provider fails again and again isn't asked for a while, then one question probes."""
    pace = make()
    for _ in range(TRIP_AFTER - 1):
        pace.failed(100)
    assert not pace.open(100)
    pace.failed(100)
    assert pace.open(100)
    assert not pace.open(100 + FIRST_PAUSE)
    assert pace.probing
    pace.answered()
    assert not pace.probing


def test_answers_between_failures_keep_it_closed() -> None:
    """Single failures are the internet."""
    pace = make()
    for _ in range(5 * TRIP_AFTER):
        pace.failed(100)
        pace.answered()
    assert not pace.open(100)


def test_patience_is_what_the_provider_asks_for() -> None:
    """A 429 with a time is waited out exactly."""
    pace = make()
    pace.limited(100, 7)
    assert pace.open(106.9)
    assert not pace.open(107)


@pytest.mark.parametrize("wanted", [None, 0.0])
def test_a_limit_without_a_time_is_backed_off_from(wanted: float | None) -> None:
    """A 429 that names no time, or one that has passed, is no leave to go on at full rate."""
    pace = make()
    pace.limited(100, wanted)
    assert pace.open(100)
    assert not pace.open(100 + FIRST_PAUSE)


def test_refused_credentials_are_tried_once_a_minute() -> None:
    """Nobody is locked out because we insist."""
    pace = make()
    pace.refused(100)
    assert pace.open(100 + REFUSED_PAUSE - 1)
    assert pace.probing


def test_pauses_double_up_to_a_bound() -> None:
    """Backoff has full jitter up to a bound that doubles, so that no two who failed together ask together again."""
    chance = random.Random(1)
    for failures in range(40):
        longest = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0**failures)
        pauses = [backoff(failures, chance) for _ in range(400)]
        assert all(LEAST_PAUSE <= pause <= longest for pause in pauses)
        assert sum(pauses) / 400 == pytest.approx(longest / 2, rel=0.15)
        assert min(pauses) < longest / 4 < 3 * longest / 4 < max(pauses)


@pytest.mark.parametrize("wanted", [1e9, 1e300])
def test_no_header_ends_polling(wanted: float) -> None:
    """A provider that asks for an hour is left alone that long; who asks for years is asked again after an hour."""
    pace = make()
    pace.limited(100, wanted)
    assert pace.open(100 + LONGEST_PATIENCE - 1)
    assert not pace.open(100 + LONGEST_PATIENCE)


def test_an_outage_counts_once() -> None:
    """Questions that were under way when the circuit opened don't make its pause longer."""
    pace = make()
    for _ in range(TRIP_AFTER + 20):
        pace.failed(100)
    assert not pace.open(100 + FIRST_PAUSE)


def test_failed_probes_double_the_pause() -> None:
    """An outage that lasts is asked about less and less often."""
    pace, now, pauses = make(), 100.0, []
    for _ in range(TRIP_AFTER):
        pace.failed(now)
    for _ in range(6):
        began = now
        while pace.open(now):
            now += 0.01
        pauses.append(now - began)
        pace.failed(now)
    bounds = [FIRST_PAUSE * 2**number for number in range(6)]
    assert all(pause <= bound + 0.02 for pause, bound in zip(pauses, bounds, strict=True))
    assert max(pauses) > 4 * FIRST_PAUSE
