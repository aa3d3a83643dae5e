"""Contestants take turns, each is measured several times, medians count. Knows nothing of what is measured."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from statistics import median
from typing import Any, NamedTuple

from bench.process import Failed

Measured = Mapping[str, float]
"""Figures of one round, by name."""


class Contestant(NamedTuple):
    """Somebody who does the work."""

    name: str
    run: Callable[[int], Awaitable[Measured]]
    """Does one round, given its number; raises `Failed` where that can't be."""


class Result(NamedTuple):
    """What one contest found."""

    medians: dict[str, dict[str, float]]
    """By contestant and figure."""
    rounds: dict[str, list[Measured]]
    """All that was measured, in order."""
    left_out: dict[str, str]
    """Who could not take part, and why."""

    def ratio(self, figure: str, one: str, other: str) -> float | None:
        """How `one` compares with `other`: the median over rounds of the same number, which saw the same machine."""
        pairs = zip(self.rounds.get(one, []), self.rounds.get(other, []), strict=False)
        ratios = [a[figure] / b[figure] for a, b in pairs if b.get(figure)]
        return median(ratios) if ratios else None

    def as_json(self) -> dict[str, Any]:
        """All of it."""
        return {"medians": self.medians, "rounds": self.rounds, "left_out": self.left_out}


async def contest(contestants: Sequence[Contestant], rounds: int, show: Callable[[str], None]) -> Result:
    """Let the contestants alternate.

    Args:
        contestants: Who takes part; who fails once is left out from then on.
        rounds: How often each is measured.
        show: Is told of every round.
    """
    found: dict[str, list[Measured]] = {one.name: [] for one in contestants}
    left_out: dict[str, str] = {}
    for number in range(rounds):
        # Whoever came first comes last in the next round, so that a drift of the machine favours nobody.
        for one in contestants if number % 2 == 0 else tuple(reversed(contestants)):
            if one.name in left_out:
                continue
            try:
                measured = await one.run(number)
            except Failed as failure:
                left_out[one.name] = str(failure)
                show(f"{one.name}: left out: {failure}")
                continue
            found[one.name].append(measured)
            figures = ", ".join(f"{name} {value:,.4g}" for name, value in measured.items())
            show(f"round {number + 1}/{rounds}  {one.name}: {figures}")
    medians = {name: _medians(measured) for name, measured in found.items() if measured}
    return Result(medians, {name: measured for name, measured in found.items() if measured}, left_out)


def _medians(rounds: Sequence[Measured]) -> dict[str, float]:
    return {name: median(one[name] for one in rounds if name in one) for name in rounds[0]}
