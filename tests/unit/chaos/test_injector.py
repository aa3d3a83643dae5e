"""Every fault that a plan may hold can be done."""

from tests.chaos.bridges import BRIDGE_FAULTS
from tests.chaos.plan import FaultKind
from tests.chaos.surroundings import SURROUNDING_FAULTS


def test_every_kind_has_one_injector() -> None:
    """Either among the bridges' faults or among the surroundings'."""
    assert BRIDGE_FAULTS.keys() | SURROUNDING_FAULTS.keys() == set(FaultKind)
    assert not BRIDGE_FAULTS.keys() & SURROUNDING_FAULTS.keys()
