"""A short version of the chaos suite: a dozen kinds of faults within a minute."""

import sys
from pathlib import Path

import pytest

from tests.chaos.plan import Fault, FaultKind, Plan
from tests.chaos.run import RunOptions, run

pytestmark = pytest.mark.long


SHORT = Plan(
    bridges=(
        Fault(2.0, FaultKind.KILL_IN_TRANSACTION, 0, 0.1),
        Fault(9.0, FaultKind.STATE_OVERWRITTEN, 0, 0.7),
        Fault(16.0, FaultKind.SCALE, 0, 0.9),
        Fault(20.0, FaultKind.CLOCK, 5, 0.39),
        Fault(26.0, FaultKind.ZOMBIE, 11.5, 0.4),
        Fault(40.0, FaultKind.ROLLING_RESTART, 0, 0.5),
        Fault(50.0, FaultKind.KILL_AGAIN, 1.0, 0.9),
        Fault(58.0, FaultKind.SCALE, 0, 0.1),
    ),
    surroundings=(
        Fault(1.0, FaultKind.POISON, 0, 0.3),
        Fault(4.0, FaultKind.FAILING, 3, 0.5),
        Fault(8.0, FaultKind.COORDINATOR_KILLED, 1, 0.5),
        Fault(24.0, FaultKind.BURST, 2, 0.2),
        Fault(28.0, FaultKind.WIRE_FROZEN, 6, 0.1),
        Fault(38.0, FaultKind.BROKERS_AWAY, 4, 0.5),
        Fault(55.0, FaultKind.BABBLING, 3, 0.5),
    ),
)
"""Hand-picked, so that the worst of them meet."""


def _print(text: str) -> None:
    sys.stdout.write(f"{text}\n")


@pytest.mark.timeout(600)
async def test_every_message_ends_exactly_once(tmp_path: Path) -> None:
    """No event is lost, duplicated, wrong or out of order.

    Each invalid event has its dead letter; no log has a traceback.
    """
    options = RunOptions(
        SHORT,
        seed=2,  # even: every bridge tracks from the start, so each can be killed in a transaction
        seconds=60,
        rate=25,
        poll_ages="2s,5s,10s,20s,30s",
        speed=1.5,
        max_fault_delay_seconds=240,
    )
    result = await run(options, tmp_path, _print)
    for line in result.format_lines():
        _print(line)
    assert not result.problems
    assert sum(result.faults.values()) == len(SHORT.faults)
    assert result.verification.messages > 1_000
    assert result.verification.ended == result.verification.messages
