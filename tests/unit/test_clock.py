"""The steady clock, when the system clock is set."""

from bridge.clock import SLEW_RATE, SteadyClock


class Clocks:
    """A system clock and the elapsed time, in seconds."""

    def __init__(self) -> None:
        self.wall, self.elapsed = 1_000_000.0, 50.0
        self.steady = SteadyClock(lambda: self.wall, lambda: self.elapsed)

    def pass_by(self, seconds: float) -> None:
        """Let time pass."""
        self.wall += seconds
        self.elapsed += seconds


def test_it_goes_as_the_machine_s_clock_does() -> None:
    """If the system clock isn't set, both agree."""
    clocks = Clocks()
    for _ in range(1000):
        clocks.pass_by(0.25)
        assert abs(clocks.steady() - clocks.wall * 1000) <= 1


def test_a_step_that_is_taken_back_moves_it_by_less_than_a_tenth() -> None:
    """The system clock is wrong by minutes for half a minute: timers expire almost as before."""
    for step in (180.0, -180.0):
        clocks = Clocks()
        before = clocks.steady()
        clocks.wall += step
        times = [before]
        for _ in range(300):
            clocks.pass_by(0.1)
            times.append(clocks.steady())
        assert times == sorted(times)
        assert abs(times[-1] - before - 30_000) <= 30_000 * SLEW_RATE + 1
        clocks.wall -= step
        clocks.pass_by(40)
        assert abs(clocks.steady() - clocks.wall * 1000) <= 1


def test_a_step_that_stays_is_followed() -> None:
    """A correction by three minutes takes half an hour."""
    clocks = Clocks()
    clocks.wall += 180
    for _ in range(1900):
        clocks.pass_by(1)
        clocks.steady()
    assert abs(clocks.steady() - clocks.wall * 1000) <= 1
