"""What has departed for each partition and isn't settled, and which partitions are stuck. Nothing is sent here."""

from collections import Counter
from collections.abc import Container, Iterable

from bridge.kafka.records import Record

STUCK_SECONDS = 4.0
"""After which a partition that has acknowledged nothing counts as stuck."""

MANY_STUCK = 2
"""Stuck partitions of a topic from which on Kafka counts as away; one alone may have lost its leader or replicas."""

Partition = tuple[str, int]
"""Topic and number."""


class _Departed:
    __slots__ = ("batches", "since")

    def __init__(self, since: float) -> None:
        self.batches = 1
        self.since = since


class Departures:
    """The partitions that batches have departed for; all times are the event loop's, in seconds.

    A departure counts as a batch until all of its batches are handed over: it begins, and is settled then.
    """

    def __init__(self) -> None:
        self._departed: dict[Partition, _Departed] = {}
        """Those that have shown no life for the longest time first."""
        self._used: set[Partition] = set()

    def __bool__(self) -> bool:
        """Whether anything is unsettled."""
        return bool(self._departed)

    @property
    def partitions(self) -> Container[Partition]:
        """The partitions with unsettled batches."""
        return self._departed.keys()

    def begin(self, partitions: Iterable[Partition], now: float) -> None:
        """Note that batches depart for partitions which have none under way."""
        for partition in partitions:
            self._departed[partition] = _Departed(now)
            self._used.add(partition)

    def add(self, partition: Partition) -> None:
        """Note that a batch is handed over for a partition."""
        self._departed[partition].batches += 1

    def settle(self, partition: Partition, now: float) -> None:
        """Note that one of a partition's batches is settled."""
        departed = self._departed.pop(partition)
        departed.batches -= 1
        if departed.batches:
            departed.since = now
            self._departed[partition] = departed

    def find_stuck(self, records: Iterable[Record], now: float) -> Partition | None:
        """Find a stuck partition that one of the records is for."""
        earliest = next(iter(self._departed.values()), None)
        if earliest is None or now - earliest.since <= STUCK_SECONDS:
            return None  # as nearly always
        stuck = self._list_stuck(now)
        return next((tp for record in records if (tp := (record.topic, record.partition)) in stuck), None)

    def are_stuck(self, now: float) -> bool:
        """Whether several partitions of a topic are stuck, or the only one that was ever used."""
        stuck = Counter(topic for topic, _ in self._list_stuck(now))
        used = Counter(topic for topic, _ in self._used) if stuck else stuck
        return any(count >= min(MANY_STUCK, used[topic]) for topic, count in stuck.items())

    def _list_stuck(self, now: float) -> list[Partition]:
        return [tp for tp, departed in self._departed.items() if now - departed.since > STUCK_SECONDS]
