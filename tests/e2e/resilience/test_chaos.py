"""A short cut of the chaos suite: a dozen kinds of faults within a minute, and every message ends exactly once."""

import sys
from pathlib import Path

import pytest

from tests.chaos.plan import Fault, Kind, Plan
from tests.chaos.run import Options, run

pytestmark = pytest.mark.long


SHORT = Plan(
    bridges=(
        Fault(2.0, Kind.KILL_IN_TRANSACTION, 0, 0.1),
        Fault(9.0, Kind.STATE_OVERWRITTEN, 0, 0.7),
        Fault(16.0, Kind.SCALE, 0, 0.9),
        Fault(20.0, Kind.CLOCK, 5, 0.39),
        Fault(26.0, Kind.ZOMBIE, 11.5, 0.4),
        Fault(40.0, Kind.ROLLING_RESTART, 0, 0.5),
        Fault(50.0, Kind.KILL_AGAIN, 1.0, 0.9),
        Fault(58.0, Kind.SCALE, 0, 0.1),
    ),
    surroundings=(
        Fault(1.0, Kind.POISON, 0, 0.3),
        Fault(4.0, Kind.FAILING, 3, 0.5),
        Fault(8.0, Kind.COORDINATOR_KILLED, 1, 0.5),
        Fault(24.0, Kind.BURST, 2, 0.2),
        Fault(28.0, Kind.WIRE_FROZEN, 6, 0.1),
        Fault(38.0, Kind.BROKERS_AWAY, 4, 0.5),
        Fault(55.0, Kind.BABBLING, 3, 0.5),
    ),
)
"""Hand-picked, so that the worst of them meet."""


def _tell(text: str) -> None:
    sys.stdout.write(f"{text}\n")


@pytest.mark.timeout(600)
async def test_every_message_ends_exactly_once(tmp_path: Path) -> None:
    """Nothing lost, doubled, wrong or moved back; every bad event has its dead letter; no log has a traceback."""
    options = Options(SHORT, seed=1, seconds=60, rate=25, polls="2s,5s,10s,20s,30s", give_up=60, speed=1.5, late=240)
    outcome = await run(options, tmp_path, _tell)
    for line in outcome.lines():
        _tell(line)
    assert not outcome.wrong
    assert sum(outcome.faults.values()) == len(SHORT.faults)
    assert outcome.comparison.messages > 1_000
    assert outcome.comparison.ended == outcome.comparison.messages
