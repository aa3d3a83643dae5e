"""What groups have committed: above all the tracker's place in the journal, and what happens when there is none."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Literal, NamedTuple, Self
from uuid import uuid4

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import (
    CommitFailedError,
    CoordinatorLoadInProgressError,
    CoordinatorNotAvailableError,
    NotCoordinatorError,
)
from aiokafka.structs import OffsetAndMetadata

from bridge.core.errors import Misconfigured
from bridge.kafka.clients import Kafka, stopped
from bridge.kafka.consumers import released
from bridge.settings.model import Settings

COORDINATOR_WITHIN = 100
"""Tenths of a second that Kafka may take to find a group's coordinator."""


class Committed(NamedTuple):
    """What the tracker's group remembers of a journal partition."""

    offset: int
    partitions: int
    incarnation: str
    """Drawn when the journal was first committed; a cache of another incarnation is worthless."""

    @property
    def metadata(self) -> str:
        """As it stands in the commit."""
        return f"{self.partitions};{self.incarnation}"


async def committed(admin: Any, group: str, tp: TopicPartition) -> Committed | None:
    """What a group has committed for a partition, or None."""
    return (await _places(admin, group, [tp])).get(tp)


async def _places(admin: Any, group: str, tps: Sequence[TopicPartition]) -> dict[TopicPartition, Committed]:
    """What a group has committed for these partitions; those without anything are missing."""
    return {tp: _read(at) for tp, at in (await committed_offsets(admin, group, tps)).items()}


async def committed_offsets(
    admin: Any, group: str, tps: Sequence[TopicPartition]
) -> dict[TopicPartition, OffsetAndMetadata]:
    """What a group has committed for these partitions, never guessed; those without anything are missing.

    Kafka makes its own topic for offsets when a group first asks, and has no coordinator until then; and one that still
    loads refuses to answer. The client library takes a refusal for an answer about no partition at all. So nothing
    counts as nothing only where the answer says so of that partition, by an offset of -1.

    Raises:
        KafkaError: There is no answer, or no coordinator for long.
    """
    for _ in range(COORDINATOR_WITHIN):
        with suppress(CoordinatorLoadInProgressError, CoordinatorNotAvailableError, NotCoordinatorError):
            found = await admin.list_consumer_group_offsets(group, partitions=list(tps))
            if all(tp in found for tp in tps):
                return {tp: at for tp, at in found.items() if at.offset >= 0}
        await asyncio.sleep(0.1)
    raise CoordinatorNotAvailableError(f"the group {group} has no coordinator")


def _read(found: OffsetAndMetadata) -> Committed:
    partitions, _, incarnation = found.metadata.partition(";")
    return Committed(found.offset, int(partitions) if partitions.isdigit() else 0, incarnation)


async def open_journal(kafka: Kafka, settings: Settings, partitions: int) -> None:
    """Commit offset 0 for a journal that was never written to, and refuse one whose place was lost.

    Raises:
        Misconfigured: The journal is not empty and its group has no offsets, or its partition count changed.
    """
    async with _Journal(kafka, settings, partitions) as journal:
        try:
            await journal.commit(dict.fromkeys(await _fresh(journal), 0))
        except CommitFailedError:
            # Another process opened it meanwhile, and has joined the group: then there is nothing left to commit.
            await journal.commit(dict.fromkeys(await _fresh(journal), 0))


async def _fresh(journal: "_Journal") -> list[TopicPartition]:
    """The partitions that were never written to, after a look at all of them."""
    places = await journal.places()
    _refuse_moved_keys(journal.name, places.values(), len(journal.tps))
    fresh, lost = await journal.fresh_and_lost(places)
    if lost:
        numbers = sorted(tp.partition for tp in lost)
        raise Misconfigured(
            f"{journal.name} holds entries, but the group {journal.group} has no offsets within its partitions"
            f" {numbers}: run `sms-bridge topics --adopt end` to go on from now, or `--adopt start` to read what is"
            " there again"
        )
    return fresh


async def lost_places(kafka: Kafka, settings: Settings, partitions: int) -> list[int]:
    """The partitions of the journal in which the tracker's place is lost; nothing is changed."""
    async with _Journal(kafka, settings, partitions) as journal:
        _, lost = await journal.fresh_and_lost(await journal.places())
        return sorted(tp.partition for tp in lost)


async def adopt(kafka: Kafka, settings: Settings, partitions: int, where: Literal["end", "start"]) -> list[int]:
    """Give the partitions without a committed offset, or with one outside the journal, another: its end or its start.

    Returns:
        Those partitions.
    """
    async with _Journal(kafka, settings, partitions) as journal:
        fresh, lost = await journal.fresh_and_lost(await journal.places())
        lost = sorted(fresh + lost)
        if lost:
            consumer = journal.consumer
            look = consumer.end_offsets if where == "end" else consumer.beginning_offsets
            await journal.commit(await look(lost))
        return [tp.partition for tp in lost]


def _refuse_moved_keys(journal: str, places: Iterable[Committed], partitions: int) -> None:
    for place in places:
        if place.partitions not in {0, partitions}:
            raise Misconfigured(
                f"{journal} had {place.partitions} partitions and has {partitions} now, which moves keys to partitions"
                " that don't know them; start with a new journal and state topic"
            )


class _Journal:
    """The journal's offsets, for as long as it takes to look at them."""

    def __init__(self, kafka: Kafka, settings: Settings, partitions: int) -> None:
        self.name, self.group = settings.topics.journal, f"{settings.kafka.group_id}.tracker"
        self.tps = [TopicPartition(self.name, number) for number in range(partitions)]
        self._kafka = kafka

    async def __aenter__(self) -> Self:
        self.admin = await self._kafka.admin()
        self.consumer: AIOKafkaConsumer = await self._kafka.member(self.group)
        self.consumer.assign(self.tps)
        return self

    async def __aexit__(self, *_: object) -> None:
        await released(self.consumer)
        await stopped(self.admin.close(), "admin client")

    async def places(self) -> dict[TopicPartition, Committed]:
        """What is committed, for the partitions that have something."""
        return await _places(self.admin, self.group, self.tps)

    async def fresh_and_lost(
        self, places: Mapping[TopicPartition, Committed]
    ) -> tuple[list[TopicPartition], list[TopicPartition]]:
        """Partitions that were never written to and have no offset; and those whose place in the journal is lost."""
        starts = await self.consumer.beginning_offsets(self.tps)
        ends = await self.consumer.end_offsets(self.tps)
        fresh = [tp for tp in self.tps if tp not in places and ends[tp] == 0]
        lost = [
            tp
            for tp in self.tps
            if tp not in fresh and not (tp in places and starts[tp] <= places[tp].offset <= ends[tp])
        ]
        return fresh, lost

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Commit these offsets, as the beginning of another incarnation."""
        incarnation = uuid4().hex
        if offsets:
            partitions = len(self.tps)
            at = {tp: Committed(offset, partitions, incarnation) for tp, offset in offsets.items()}
            await self.consumer.commit({tp: OffsetAndMetadata(c.offset, c.metadata) for tp, c in at.items()})
