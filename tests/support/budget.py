"""Compares the CPU time of some work with that of a floor, on a machine that may be busy with something else."""

MIN_ROUNDS, MAX_ROUNDS = 5, 60
"""A busy machine slows most rounds, but not sixty in a row; work that became too expensive stays so."""


class Budget:
    """What work may cost at most, in times of its floor. Both are measured in turns, and the best of each counts.

    Args:
        most: The most.
    """

    def __init__(self, most: float) -> None:
        self._most = most
        self._rounds: list[tuple[float, float]] = []

    @property
    def rounds(self) -> int:
        """How many rounds there were."""
        return len(self._rounds)

    @property
    def ratio(self) -> float:
        """What the work costs, in times of the floor."""
        return min(work for _, work in self._rounds) / min(floor for floor, _ in self._rounds)

    @property
    def needs_round(self) -> bool:
        """Whether another round is needed to tell whether the budget is kept."""
        return self.rounds < MIN_ROUNDS or (self.ratio >= self._most and self.rounds < MAX_ROUNDS)

    def add_round(self, floor: float, work: float) -> None:
        """Add a round: the seconds that floor and work took."""
        self._rounds.append((floor, work))
