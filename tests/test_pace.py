"""How fast an account is asked, and when it isn't."""

import random
from itertools import pairwise

import pytest

from bridge.pace import FIRST_PAUSE, LONGEST_PAUSE, REFUSED_PAUSE, TRIP_AFTER, Pace, backoff


def make() -> Pace:
    """Ten a second."""
    return Pace(10, random.Random(1))


def test_questions_are_spread_evenly() -> None:
    """There is no burst: each question has its own slot."""
    pace = make()
    assert [pace.slot(100, 1) for _ in range(3)] == pytest.approx([100, 100.1, 100.2])
    assert pace.slot(200, 1) == 200


def test_a_share_slows_down() -> None:
    """A process that owns half the partitions asks half as often."""
    pace = make()
    assert [pace.slot(100, 0.5) for _ in range(3)] == pytest.approx([100, 100.2, 100.4])


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


def test_refused_credentials_are_tried_once_a_minute() -> None:
    """Nobody is locked out because we insist."""
    pace = make()
    pace.refused(100)
    assert pace.open(100 + REFUSED_PAUSE - 1)
    assert pace.probing


def test_pauses_double_up_to_a_bound() -> None:
    """Backoff doubles, is jittered over its upper half, and is bounded."""
    chance = random.Random(1)
    for failures in range(40):
        longest = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0**failures)
        assert longest / 2 <= backoff(failures, chance) <= longest


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
    assert all(later > earlier * 0.9 for earlier, later in pairwise(pauses))
    assert pauses[-1] > 8 * FIRST_PAUSE
