"""The bridge's clock never jumps, whatever happens to the system clock."""

from bridge.clock import SLEW, SteadyClock


class Clocks:
    """A system clock and the elapsed time, in seconds."""

    def __init__(self) -> None:
        self.wall, self.elapsed = 1_000_000.0, 50.0
        self.steady = SteadyClock(lambda: self.wall, lambda: self.elapsed)

    def pass_by(self, seconds: float) -> None:
        """Let time pass."""
        self.wall += seconds
        self.elapsed += seconds


def test_clock_follows_the_system_clock() -> None:
    """Without steps both show the same time."""
    clocks = Clocks()
    for _ in range(1000):
        clocks.pass_by(0.25)
        assert abs(clocks.steady() - clocks.wall * 1000) <= 1


def test_temporary_step_moves_it_by_less_than_a_tenth() -> None:
    """A clock that is minutes wrong for half a minute hardly affects timers."""
    for step in (180.0, -180.0):
        clocks = Clocks()
        before = clocks.steady()
        clocks.wall += step
        seen = [before]
        for _ in range(300):
            clocks.pass_by(0.1)
            seen.append(clocks.steady())
        assert seen == sorted(seen)
        assert abs(seen[-1] - before - 30_000) <= 30_000 * SLEW + 1
        clocks.wall -= step
        clocks.pass_by(40)
        assert abs(clocks.steady() - clocks.wall * 1000) <= 1


def test_permanent_step_is_followed_slowly() -> None:
    """Three minutes take half an hour."""
    clocks = Clocks()
    clocks.wall += 180
    for _ in range(1900):
        clocks.pass_by(1)
        clocks.steady()
    assert abs(clocks.steady() - clocks.wall * 1000) <= 1
