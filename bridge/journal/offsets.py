"""The tracker's offsets in the journal: committed when the journal is new, refused when lost, adopted on demand."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Literal, NamedTuple, Self
from uuid import uuid4

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import CommitFailedError, KafkaTimeoutError
from aiokafka.structs import OffsetAndMetadata

from bridge.concurrency import stop_with_timeout
from bridge.core.errors import ConfigurationError
from bridge.journal.horizon import NOTHING_FORGOTTEN, Horizon
from bridge.kafka.clients import KafkaClients
from bridge.kafka.consumers import close_consumer
from bridge.kafka.offsets import fetch_committed_offsets, look_up_each
from bridge.settings.model import TopicSettings

log = structlog.get_logger(__name__)

REBUILDING = 2**62
"""The `state_end` of a partition whose states are being rebuilt."""


class JournalOffset(NamedTuple):
    """What the tracker's group has committed for a journal partition."""

    offset: int
    partitions: int
    """How many the journal had at that time; 0 when the commit doesn't say."""
    journal_id: str
    """A random id, made with the journal's first commit; a cache of a journal with another id is discarded."""
    horizon: Horizon = NOTHING_FORGOTTEN
    state_end: int = 0
    """An offset that the state topic has reached: one that ends before has lost states."""

    @property
    def metadata(self) -> str:
        """The metadata of the commit."""
        return ";".join(map(str, (self.partitions, self.journal_id, *self.horizon, self.state_end)))


async def fetch_journal_offset(admin: Any, group: str, tp: TopicPartition) -> JournalOffset | None:
    """Fetch what the tracker's group has committed for one partition, or None.

    Raises:
        KafkaError: There is no answer.
    """
    return (await fetch_journal_offsets(admin, group, [tp])).get(tp)


async def fetch_journal_offsets(
    admin: Any, group: str, tps: Sequence[TopicPartition]
) -> dict[TopicPartition, JournalOffset]:
    """Fetch what the tracker's group has committed; partitions without a commit are missing.

    Raises:
        KafkaError: There is no answer.
    """
    return {tp: _parse(at) for tp, at in (await fetch_committed_offsets(admin, group, tps)).items()}


def _parse(found: OffsetAndMetadata) -> JournalOffset:
    members = (found.metadata.split(";") + [""] * 6)[:7]
    partitions, journal_id, forgotten, refused, changed, settings, state_end = members
    horizon = Horizon(_parse_number(forgotten), _parse_number(refused), _parse_number(changed), settings)
    return JournalOffset(found.offset, _parse_number(partitions), journal_id, horizon, _parse_number(state_end))


def _parse_number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() else 0


async def open_journal(kafka: KafkaClients, group: str, topics: TopicSettings, partitions: int) -> None:
    """Commit offset 0 for a journal that was never written to, and refuse one that doesn't fit its offsets any more.

    Every process does it, whatever its roles: one that only writes to the journal would write to wrong partitions.

    Args:
        kafka: The cluster.
        group: The tracker's group.
        topics: What the topics are called.
        partitions: How many partitions the journal has.

    Raises:
        ConfigurationError: The journal is not empty and its group has no offsets, its partition count changed, or the
            state topic was lost.
    """
    async with _JournalOffsets(kafka, group, topics, partitions) as offsets:
        try:
            await offsets.commit(dict.fromkeys(await _find_new_partitions(offsets), 0))
        except CommitFailedError:
            # Another process opened the journal meanwhile and joined the group: there is nothing left to commit.
            await offsets.commit(dict.fromkeys(await _find_new_partitions(offsets), 0))


async def _find_new_partitions(offsets: "_JournalOffsets") -> list[TopicPartition]:
    """Find the partitions that were never written to, after checking all of them."""
    new, lost = await _check_partitions(offsets)
    if lost:
        numbers = sorted(tp.partition for tp in lost)
        raise ConfigurationError(
            f"{offsets.journal} holds entries, but the group {offsets.group} has no offsets within its partitions"
            f" {numbers}: run `sms-bridge topics --adopt end` to go on from now, or `--adopt start` to read what is"
            " there again"
        )
    return new


async def _check_partitions(offsets: "_JournalOffsets") -> tuple[list[TopicPartition], list[TopicPartition]]:
    """Refuse what doesn't fit any more, and find the partitions that are new and those whose offset is lost."""
    committed = await offsets.fetch_committed()
    _refuse_moved_keys(offsets.journal, committed.values(), len(offsets.tps))
    await offsets.refuse_lost_state(committed)
    return await offsets.find_new_and_lost(committed)


async def find_lost_offsets(kafka: KafkaClients, group: str, topics: TopicSettings, partitions: int) -> list[int]:
    """Find the journal partitions whose offset is lost; nothing is changed.

    Raises:
        ConfigurationError: The partition count changed, or the state topic was lost.
    """
    async with _JournalOffsets(kafka, group, topics, partitions) as offsets:
        _, lost = await _check_partitions(offsets)
        return sorted(tp.partition for tp in lost)


async def adopt_offsets(
    kafka: KafkaClients,
    group: str,
    topics: TopicSettings,
    partitions: int,
    where: Literal["end", "start"],
    *,
    refused_until: int,
) -> list[int]:
    """Commit the journal's end or start for partitions without an offset, or with one outside the journal.

    Args:
        kafka: The cluster.
        group: The tracker's group.
        topics: What the topics are called.
        partitions: How many partitions the journal has.
        where: What to commit.
        refused_until: Messages that were sent until then and aren't known were forgotten: what the lost commits said of
            that is lost, too. It doesn't count for partitions without any states, which have forgotten everything.

    Returns:
        Those partitions.
    """
    async with _JournalOffsets(kafka, group, topics, partitions) as offsets:
        new, lost = await offsets.find_new_and_lost(await offsets.fetch_committed())
        adopted = sorted(new + lost)
        if adopted:
            consumer = offsets.consumer
            look_up = consumer.end_offsets if where == "end" else consumer.beginning_offsets
            await offsets.commit(await look_up(adopted), Horizon(refused_until=refused_until))
        return [tp.partition for tp in adopted]


def _refuse_moved_keys(journal: str, committed: Iterable[JournalOffset], partitions: int) -> None:
    for at in committed:
        if at.partitions not in {0, partitions}:
            raise ConfigurationError(
                f"{journal} had {at.partitions} partitions and has {partitions} now, which moves keys to partitions"
                " that don't know them; start with a new journal and state topic"
            )


def refuse_lost_state(tp: TopicPartition, end: int, written: int) -> None:
    """Refuse a partition of the state topic that ends before what was written to it: its messages would be forgotten.

    Raises:
        ConfigurationError: It does.
    """
    if end < written:
        what = f"ends at offset {end}, before {written}" if written < REBUILDING else "was not rebuilt to its end"
        raise ConfigurationError(
            f"{tp.topic} has lost states: partition {tp.partition} {what}; restore the topic, or stop all bridges and"
            " run `sms-bridge topics --rebuild-state`"
        )


class _JournalOffsets:
    """The clients that it takes to look at the journal's offsets, for as long as it takes."""

    def __init__(self, kafka: KafkaClients, group: str, topics: TopicSettings, partitions: int) -> None:
        self.group, self.journal, self._state = group, topics.journal, topics.state
        self.tps = [TopicPartition(topics.journal, number) for number in range(partitions)]
        self._kafka = kafka

    async def __aenter__(self) -> Self:
        self.admin = await self._kafka.admin()
        self.consumer: AIOKafkaConsumer = await self._kafka.member(self.group)
        self.consumer.assign(self.tps)
        return self

    async def __aexit__(self, *_: object) -> None:
        await close_consumer(self.consumer)
        await stop_with_timeout(self.admin.close(), "admin client")

    async def fetch_committed(self) -> dict[TopicPartition, JournalOffset]:
        """Fetch what is committed, for the partitions that have a commit."""
        return await fetch_journal_offsets(self.admin, self.group, self.tps)

    async def find_new_and_lost(
        self, committed: Mapping[TopicPartition, JournalOffset]
    ) -> tuple[list[TopicPartition], list[TopicPartition]]:
        """Find the partitions that were never written to and have no offset, and those whose offset is lost.

        Without a leader, a partition that has an offset is not checked, so that the others can be worked on.

        Raises:
            KafkaError: There is no answer about a partition that has none.
        """
        starts = await look_up_each(self.consumer.beginning_offsets, self.tps)
        ends = await look_up_each(self.consumer.end_offsets, starts)
        if unanswered := [tp for tp in self.tps if tp not in ends]:
            numbers = [tp.partition for tp in unanswered]
            log.warning("no answer about partitions; their offsets aren't checked", topic=self.journal, numbers=numbers)
            if not committed.keys() >= set(unanswered):
                raise KafkaTimeoutError(f"no answer about the partitions {numbers} of {self.journal}")
        known = {tp: committed[tp].offset for tp in ends if tp in committed}
        new = [tp for tp, end in ends.items() if tp not in known and end == 0]
        held = {tp for tp, offset in known.items() if starts[tp] <= offset <= ends[tp]}
        lost = [tp for tp in ends if tp not in held and tp not in new]
        return new, lost

    async def refuse_lost_state(self, committed: Mapping[TopicPartition, JournalOffset]) -> None:
        """Refuse a state topic that ends before what was written to it.

        Raises:
            ConfigurationError: It was deleted, or created again.
        """
        written = {TopicPartition(self._state, tp.partition): at.state_end for tp, at in committed.items()}
        with suppress(KafkaTimeoutError):  # each partition is checked again when it is restored
            ends = await look_up_each(self.consumer.end_offsets, [tp for tp, end in written.items() if end])
            for tp, end in ends.items():
                refuse_lost_state(tp, end, written[tp])

    async def commit(self, positions: Mapping[TopicPartition, int], horizon: Horizon = NOTHING_FORGOTTEN) -> None:
        """Commit these offsets under a new journal id; the horizon counts for partitions that have states."""
        journal_id = uuid4().hex
        if positions:
            states = await self.consumer.end_offsets([TopicPartition(self._state, tp.partition) for tp in positions])
            ends = {tp.partition: end for tp, end in states.items()}
            at = {
                tp: JournalOffset(
                    offset,
                    len(self.tps),
                    journal_id,
                    horizon if ends[tp.partition] else NOTHING_FORGOTTEN,
                    ends[tp.partition],
                )
                for tp, offset in positions.items()
            }
            await self.consumer.commit({tp: OffsetAndMetadata(one.offset, one.metadata) for tp, one in at.items()})
