"""Attempts of one account, and writing their states as a committed transaction does."""

from bridge.core.attempt import Followed, Parked, ParkedReport, Policy, State
from bridge.core.delivery import Status, Verdict
from bridge.core.schedule import Schedule
from bridge.state.keys import StateChange
from bridge.state.partition import PartitionStore
from bridge.state.serde import encode_state
from tests.support.core.story import SENT_AT, report

ACCOUNT = "dexatel:default"
SCHEDULE = Schedule(Policy(), {ACCOUNT: (1_000, 2_000, 4_000)})
FOLLOWED = Followed("m-1", SENT_AT, SENT_AT, SENT_AT + 100_000, None, None, {}, None)
PARKED = Parked(SENT_AT + 50_000, (ParkedReport.from_report(1, report(Status.SENT), Verdict(Status.SENT)),))


def key(number: int) -> str:
    """Return an attempt's key."""
    return f"{ACCOUNT}:{number:04}"


def put(attempts: PartitionStore, states: dict[str, State], offset: int = 1) -> None:
    """Write states as a committed transaction would."""
    known = attempts.get(list(states))
    changes = [
        StateChange(name, before, state, encode_state(state) if state else b"")
        for (name, state), before in zip(states.items(), known, strict=True)
    ]
    attempts.apply(changes, "incarnation", offset)
