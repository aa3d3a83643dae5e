"""Where a group stands is believed only when nobody says otherwise: a coordinator that is loading knows nothing yet."""

from collections.abc import Mapping, Sequence
from typing import Self

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import CommitFailedError, CoordinatorNotAvailableError, NotCoordinatorError
from aiokafka.structs import OffsetAndMetadata

from bridge.kafka import offsets
from bridge.kafka.offsets import Committed, committed, open_journal

TP = TopicPartition("journal", 3)
NOTHING, PLACE = OffsetAndMetadata(-1, ""), OffsetAndMetadata(42, "24;incarnation")


class Admin:
    """Says one thing after the other, and the last again and again."""

    def __init__(self, *answers: OffsetAndMetadata | Exception) -> None:
        self._answers = list(answers)

    async def list_consumer_group_offsets(
        self, _group: str, partitions: Sequence[TopicPartition]
    ) -> Mapping[TopicPartition, OffsetAndMetadata]:
        """As the client's admin does."""
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        return dict.fromkeys(partitions, answer)


class Consumer:
    """Knows the offset, and no metadata."""

    def __init__(self, offset: int | None) -> None:
        self._offset = offset

    async def committed(self, _tp: TopicPartition) -> int | None:
        """As the client's consumer does."""
        return self._offset


async def test_a_loading_coordinator_s_silence_is_not_believed() -> None:
    """The admin client takes its refusal for nothing; the consumer knows better, so it is asked again."""
    found = await committed(Admin(NOTHING, NotCoordinatorError(), NOTHING, PLACE), Consumer(42), "group", TP)
    assert found == Committed(42, 24, "incarnation")


async def test_nothing_is_nothing_when_both_say_so() -> None:
    """A group that never committed has no place."""
    assert await committed(Admin(NOTHING), Consumer(None), "group", TP) is None


async def test_a_coordinator_that_never_comes_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Never a guess."""
    monkeypatch.setattr(offsets, "COORDINATOR_WITHIN", 3)
    with pytest.raises(CoordinatorNotAvailableError):
        await committed(Admin(NOTHING), Consumer(42), "group", TP)


class Journal:
    """A journal that another process opens between the first look and the first commit."""

    name, group, tps = "journal", "group", (TP,)

    def __init__(self, *_: object) -> None:
        self.committed: list[Mapping[TopicPartition, int]] = []
        Journal.last = self

    last: "Journal"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    async def places(self) -> Mapping[TopicPartition, Committed]:
        """Nothing at first; then what the other one committed."""
        return {TP: Committed(0, 1, "other")} if self.committed else {}

    async def fresh_and_lost(
        self, places: Mapping[TopicPartition, Committed]
    ) -> tuple[list[TopicPartition], list[TopicPartition]]:
        """An empty journal."""
        return [tp for tp in self.tps if tp not in places], []

    async def commit(self, at: Mapping[TopicPartition, int]) -> None:
        """Refused while the other one is in the group."""
        self.committed.append(at)
        if at:
            raise CommitFailedError


async def test_of_two_that_open_a_journal_the_second_takes_the_first_s_word(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who comes second isn't let commit, looks again, and goes on."""
    monkeypatch.setattr(offsets, "_Journal", Journal)
    await open_journal(None, None, 1)  # type: ignore[arg-type]  # nobody looks at these
    assert Journal.last.committed == [{TP: 0}, {}]
