"""Where a group stands is believed only when nobody says otherwise: a coordinator that is loading knows nothing yet."""

from collections.abc import Mapping, Sequence

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import CoordinatorNotAvailableError, NotCoordinatorError
from aiokafka.structs import OffsetAndMetadata

from bridge.kafka import offsets
from bridge.kafka.offsets import Committed, committed

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
