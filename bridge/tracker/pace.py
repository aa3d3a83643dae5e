"""How soon a partition's next transaction begins, so that the partitions of a process don't crowd each other out. Pure.

Without a pause, with many partitions, each entry got a transaction of its own, and waited for those of all the others.
"""

SHARE = 0.4
"""For each other partition, a transaction begins so much of the usual duration after the last one began. It isn't all
of it, because transactions of several partitions overlap."""

MAX_TURN_SECONDS = 0.008
"""Of another partition: where Kafka is slow, more of a pause would only add to it."""

SMOOTHING = 1 / 8
"""The weight of the last transaction in the usual duration."""


class Pace:
    """Notes when a partition's transactions begin and how long they take. Times are seconds of a steady clock."""

    def __init__(self) -> None:
        self._began = 0.0
        self._usual = 0.0

    def begin(self, now: float) -> None:
        """Note that a transaction begins."""
        self._began = now

    def end(self, now: float) -> None:
        """Note that it is committed."""
        self._usual += (now - self._began - self._usual) * SMOOTHING

    def compute_pause(self, others: int, now: float) -> float:
        """Compute how long entries should gather from now on, if the process has so many other partitions."""
        turn = min(self._usual * SHARE, MAX_TURN_SECONDS)
        return max(0.0, self._began + others * turn - now)
