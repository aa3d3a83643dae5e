"""The simulation behind docs/scaling.md, for deployments with a known answer."""

import pytest

from bench.simulation import DISTURBANCES, SESSION_TIMEOUT_SECONDS, Deployment, Disturbance, simulate

ROOMY = Deployment(100, 1.6, {"intake": 10.0, "receive": 10.0, "track": 4.0}, 2, 100)
FULL = ROOMY._replace(headroom=dict.fromkeys(ROOMY.headroom, 1.0))
SILENT, AWAY, LOST = DISTURBANCES


def test_no_backlog_without_a_disturbance() -> None:
    """Even if every core is fully used."""
    for deployment in (ROOMY, FULL):
        assert simulate(deployment, Disturbance("none", 0)) == (0, 0)


@pytest.mark.parametrize("disturbance", DISTURBANCES)
def test_no_recovery_without_headroom(disturbance: Disturbance) -> None:
    """The backlog remains."""
    assert simulate(FULL, disturbance).recovery_seconds is None


def test_delay_equals_the_kafka_outage() -> None:
    """The backlog shrinks at the rate that the slowest role has to spare."""
    result = simulate(ROOMY, AWAY)
    assert result.max_delay_seconds == pytest.approx(AWAY.seconds, rel=0.05)
    assert result.recovery_seconds == pytest.approx(AWAY.seconds / (4 - 1), rel=0.1)


def test_held_back_callbacks_are_not_late() -> None:
    """Unless they arrive faster than they can be folded."""
    result = simulate(ROOMY._replace(headroom=dict.fromkeys(ROOMY.headroom, 20.0)), SILENT)
    assert result.max_delay_seconds == 0
    assert result.recovery_seconds == pytest.approx(SILENT.seconds / (10 - 1), rel=0.1)
    assert simulate(ROOMY, SILENT).max_delay_seconds > 10


def test_lost_replica_delays_its_share() -> None:
    """Until the group notices and the state is restored."""
    result = simulate(ROOMY, LOST)
    assert result.max_delay_seconds == pytest.approx(SESSION_TIMEOUT_SECONDS + 100, rel=0.05)
    assert simulate(ROOMY._replace(restore_seconds=1000), LOST).max_delay_seconds > 1000
