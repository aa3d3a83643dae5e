"""What fails, and when, is drawn from a seed."""

from tests.chaos.plan import FaultKind, make_plan


def test_a_seed_settles_the_whole_schedule() -> None:
    """A run that found something can be had again; another seed is another run."""
    assert make_plan(7, 600) == make_plan(7, 600)
    assert make_plan(7, 600) != make_plan(8, 600)


def test_ten_minutes_have_sixty_faults_of_every_kind() -> None:
    """Whatever the seed."""
    for seed in range(50):
        faults = make_plan(seed, 600).faults
        assert len(faults) >= 60
        assert {fault.kind for fault in faults} == set(FaultKind)
