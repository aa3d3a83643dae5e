"""The simulation behind docs/scaling.md: what it says of installations for which the answer is plain."""

import pytest

from bench.simulation import SESSION_S, TROUBLES, Plan, Trouble, simulate

ROOMY = Plan(100, 1.6, {"intake": 10.0, "receive": 10.0, "track": 4.0}, 2, 100)
FULL = ROOMY._replace(headroom=dict.fromkeys(ROOMY.headroom, 1.0))
SILENT, AWAY, LOST = TROUBLES


def test_without_trouble_nothing_waits() -> None:
    """Also where every core is busy."""
    for plan in (ROOMY, FULL):
        assert simulate(plan, Trouble("none", 0)) == (0, 0)


@pytest.mark.parametrize("trouble", TROUBLES)
def test_what_has_no_room_to_spare_never_catches_up(trouble: Trouble) -> None:
    """What piled up stays."""
    assert simulate(FULL, trouble).over is None


def test_a_journal_is_as_late_as_kafka_was_away() -> None:
    """And is worked off at what the slowest part has to spare."""
    told = simulate(ROOMY, AWAY)
    assert told.behind == pytest.approx(AWAY.seconds, rel=0.05)
    assert told.over == pytest.approx(AWAY.seconds / (4 - 1), rel=0.1)


def test_what_a_provider_holds_back_is_not_late_in_the_journal() -> None:
    """Until it comes faster than it can be folded."""
    told = simulate(ROOMY._replace(headroom=dict.fromkeys(ROOMY.headroom, 20.0)), SILENT)
    assert told.behind == 0
    assert told.over == pytest.approx(SILENT.seconds / (10 - 1), rel=0.1)
    assert simulate(ROOMY, SILENT).behind > 10


def test_a_lost_replica_s_share_waits_for_its_restore() -> None:
    """For the group to notice, and for the states to be read."""
    told = simulate(ROOMY, LOST)
    assert told.behind == pytest.approx(SESSION_S + 100, rel=0.05)
    assert simulate(ROOMY._replace(restore_s=1000), LOST).behind > 1000
