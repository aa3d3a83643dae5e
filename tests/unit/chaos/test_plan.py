"""What fails, and when, is drawn from a seed."""

from tests.chaos.plan import FaultKind, make_plan


def test_plan_depends_on_the_seed_only() -> None:
    """The same seed gives the same plan, another seed another one."""
    assert make_plan(7, 600) == make_plan(7, 600)
    assert make_plan(7, 600) != make_plan(8, 600)


def test_ten_minutes_have_every_kind() -> None:
    """At least sixty faults of all kinds, for each seed."""
    for seed in range(50):
        faults = make_plan(seed, 600).faults
        assert len(faults) >= 60
        assert {fault.kind for fault in faults} == set(FaultKind)


def test_plan_has_chosen_kinds_only() -> None:
    """Without the others, also where no kind of one sequence is left."""
    plan = make_plan(3, 600, {FaultKind.TOKENS, FaultKind.RIGHTS})
    assert {fault.kind for fault in plan.faults} == {FaultKind.TOKENS, FaultKind.RIGHTS}
    assert plan.has(FaultKind.TOKENS)
    assert not plan.has(FaultKind.UPDATE)
    assert not make_plan(3, 600, ()).faults
