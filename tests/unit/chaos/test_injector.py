"""Every fault that a plan may hold can be done."""

from tests.chaos.bridges import BRIDGES
from tests.chaos.plan import Kind
from tests.chaos.surroundings import SURROUNDINGS


def test_every_kind_has_one_way() -> None:
    """Of the bridges or of their surroundings, never both."""
    assert BRIDGES.keys() | SURROUNDINGS.keys() == set(Kind)
    assert not BRIDGES.keys() & SURROUNDINGS.keys()
