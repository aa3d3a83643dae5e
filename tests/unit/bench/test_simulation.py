"""The simulation behind docs/scaling.md: what it says of installations for which the answer is plain."""

import pytest

from bench.simulation import SESSION_S, TROUBLES, Plan, Trouble, simulate

ROOMY = Plan(100, 1.6, {"intake": 10.0, "receive": 10.0, "track": 4.0}, 2, 100)
FULL = ROOMY._replace(headroom=dict.fromkeys(ROOMY.headroom, 1.0))
SILENT, AWAY, LOST = TROUBLES


def test_no_backlog_without_a_disturbance() -> None:
    """Even if every core is fully used."""
    for plan in (ROOMY, FULL):
        assert simulate(plan, Trouble("none", 0)) == (0, 0)


@pytest.mark.parametrize("trouble", TROUBLES)
def test_no_recovery_without_headroom(trouble: Trouble) -> None:
    """The backlog remains."""
    assert simulate(FULL, trouble).over is None


def test_delay_equals_the_kafka_outage() -> None:
    """The backlog shrinks at the rate that the slowest role has to spare."""
    told = simulate(ROOMY, AWAY)
    assert told.behind == pytest.approx(AWAY.seconds, rel=0.05)
    assert told.over == pytest.approx(AWAY.seconds / (4 - 1), rel=0.1)


def test_held_back_callbacks_are_not_late() -> None:
    """Unless they arrive faster than they can be folded."""
    told = simulate(ROOMY._replace(headroom=dict.fromkeys(ROOMY.headroom, 20.0)), SILENT)
    assert told.behind == 0
    assert told.over == pytest.approx(SILENT.seconds / (10 - 1), rel=0.1)
    assert simulate(ROOMY, SILENT).behind > 10


def test_lost_replica_delays_its_share() -> None:
    """Until the group notices and the state is restored."""
    told = simulate(ROOMY, LOST)
    assert told.behind == pytest.approx(SESSION_S + 100, rel=0.05)
    assert simulate(ROOMY._replace(restore_s=1000), LOST).behind > 1000
