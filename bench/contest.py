"""Lets contestants take turns, measures each several times and takes medians. It doesn't depend on the subject."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from statistics import median
from typing import Any, NamedTuple

from bench.process import BenchmarkError

Measured = Mapping[str, float]
"""Figures of one round, by name."""


class Contestant(NamedTuple):
    """A program that does the work."""

    name: str
    run: Callable[[int], Awaitable[Measured]]
    """Measures one round, given its number; raises `BenchmarkError` if that is impossible."""


class Result(NamedTuple):
    """The result of a contest."""

    medians: dict[str, dict[str, float]]
    """By contestant and figure."""
    rounds: dict[str, list[Measured]]
    """All measurements, in order."""
    left_out: dict[str, str]
    """The contestants that failed, and the reasons."""

    def ratio(self, figure: str, one: str, other: str) -> float | None:
        """Return the median of the ratios of `one` to `other` within each round, so that conditions were the same."""
        pairs = zip(self.rounds.get(one, []), self.rounds.get(other, []), strict=False)
        ratios = [a[figure] / b[figure] for a, b in pairs if b.get(figure)]
        return median(ratios) if ratios else None

    def as_json(self) -> dict[str, Any]:
        """Return the whole result as JSON."""
        return {"medians": self.medians, "rounds": self.rounds, "left_out": self.left_out}


async def run_contest(contestants: Sequence[Contestant], rounds: int, show: Callable[[str], None]) -> Result:
    """Measure the contestants in turns.

    Args:
        contestants: One that fails is left out from then on.
        rounds: How often each is measured.
        show: Called with a line about each measurement.
    """
    found: dict[str, list[Measured]] = {one.name: [] for one in contestants}
    left_out: dict[str, str] = {}
    for number in range(rounds):
        # The order is reversed in every other round, so that a change of the machine's speed affects all alike.
        for one in contestants if number % 2 == 0 else tuple(reversed(contestants)):
            if one.name in left_out:
                continue
            try:
                measured = await one.run(number)
            except BenchmarkError as error:
                left_out[one.name] = str(error)
                show(f"{one.name}: left out: {error}")
                continue
            found[one.name].append(measured)
            figures = ", ".join(f"{name} {value:,.4g}" for name, value in measured.items())
            show(f"round {number + 1}/{rounds}  {one.name}: {figures}")
    medians = {name: _medians(measured) for name, measured in found.items() if measured}
    return Result(medians, {name: measured for name, measured in found.items() if measured}, left_out)


def _medians(rounds: Sequence[Measured]) -> dict[str, float]:
    return {name: median(one[name] for one in rounds if name in one) for name in rounds[0]}
