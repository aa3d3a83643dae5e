"""A group's offsets are trusted only if its coordinator returned them; a loading coordinator knows none."""

from collections.abc import Mapping, Sequence
from typing import Self

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import CommitFailedError, CoordinatorNotAvailableError, NotCoordinatorError
from aiokafka.structs import OffsetAndMetadata

from bridge.journal import offsets as journal_offsets
from bridge.journal.horizon import Horizon
from bridge.journal.offsets import JournalOffset, fetch_journal_offset, open_journal
from bridge.kafka import offsets
from bridge.settings.model import TopicSettings

TP = TopicPartition("journal", 3)
NOTHING, PLACE = OffsetAndMetadata(-1, ""), OffsetAndMetadata(42, "24;journal-id")


class Admin:
    """Returns prepared answers in order and repeats the last one; None is a refusal."""

    def __init__(self, *answers: OffsetAndMetadata | Exception | None) -> None:
        self._answers = list(answers)

    async def list_consumer_group_offsets(
        self, _group: str, partitions: Sequence[TopicPartition]
    ) -> Mapping[TopicPartition, OffsetAndMetadata]:
        """Implement the client's admin."""
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        return dict.fromkeys(partitions, answer) if answer else {}


async def test_refused_request_is_retried() -> None:
    """A refusal or another coordinator is no answer."""
    found = await fetch_journal_offset(Admin(None, NotCoordinatorError(), None, PLACE), "group", TP)
    assert found == JournalOffset(42, 24, "journal-id")


async def test_metadata_is_read_as_written() -> None:
    """What a partition has forgotten is committed with its offset."""
    written = JournalOffset(42, 24, "journal-id", Horizon(5, 4, 3, "0badcafe"), 99)
    admin = Admin(OffsetAndMetadata(42, written.metadata))
    assert await fetch_journal_offset(admin, "group", TP) == written


async def test_group_without_offsets() -> None:
    """A group that never committed has no offset."""
    assert await fetch_journal_offset(Admin(None, NOTHING), "group", TP) is None


async def test_missing_coordinator_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an answer the offset is not guessed."""
    monkeypatch.setattr(offsets, "COORDINATOR_ATTEMPTS", 3)
    with pytest.raises(CoordinatorNotAvailableError):
        await fetch_journal_offset(Admin(None), "group", TP)


class Journal:
    """A journal that another process opens between the first read and the first commit."""

    journal, group, tps = "journal", "group", (TP,)

    def __init__(self, *_: object) -> None:
        self.committed: list[Mapping[TopicPartition, int]] = []
        Journal.last = self

    last: "Journal"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    async def fetch_committed(self) -> Mapping[TopicPartition, JournalOffset]:
        """Return nothing at first, then the other process's offsets."""
        return {TP: JournalOffset(0, 1, "other")} if self.committed else {}

    async def find_new_and_lost(
        self, places: Mapping[TopicPartition, JournalOffset]
    ) -> tuple[list[TopicPartition], list[TopicPartition]]:
        """Describe an empty journal."""
        return [tp for tp in self.tps if tp not in places], []

    async def refuse_lost_state(self, _committed: object) -> None:
        """Find nothing lost."""

    async def commit(self, at: Mapping[TopicPartition, int]) -> None:
        """Refuse while the other process is in the group."""
        self.committed.append(at)
        if at:
            raise CommitFailedError


async def test_second_opener_adopts_the_first_ones_offsets(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second opener may not commit, reads again, and uses the first one's offsets."""
    monkeypatch.setattr(journal_offsets, "_JournalOffsets", Journal)
    await open_journal(None, "group", TopicSettings(), 1)  # type: ignore[arg-type]  # no client is made
    assert Journal.last.committed == [{TP: 0}, {}]
