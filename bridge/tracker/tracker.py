"""Takes part in the tracker's consumer group, and runs a worker for each assigned partition."""

import asyncio
import time
from collections.abc import Callable, Iterable
from contextlib import suppress

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import KafkaError

from bridge.core.errors import StoreCorruptedError
from bridge.kafka.clients import KafkaClients
from bridge.kafka.consumers import check_membership, close_consumer
from bridge.kafka.offsets import look_up_each
from bridge.kafka.retry import retry
from bridge.state.ownership import OwnedPartition, OwnedPartitions
from bridge.state.store import Store
from bridge.tracker.worker import PartitionWorker

STOP_TIMEOUT = 5.0
"""Seconds that a transaction under way gets when its partition is revoked."""

STUCK_TIMEOUT = 60.0
"""Seconds without progress after which a worker is restarted."""

OUTSIDE_TIMEOUT = 60.0
"""Seconds outside the group, a rebalance included, after which a new member is made."""

CHECK_INTERVAL = 1.0
RETRY_PAUSE = 1.0

StartWorker = Callable[[OwnedPartition, AIOKafkaConsumer], PartitionWorker]

log = structlog.get_logger(__name__)


class Tracker(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    """One member of the tracker's consumer group.

    Args:
        kafka: Makes the member.
        group: The group's id.
        journal: The journal's topic.
        store: The cache of all partitions.
        owned: The partitions of this process, kept up to date.
        start_worker: Starts the worker of a partition that was assigned.
    """

    def __init__(
        self,
        kafka: KafkaClients,
        group: str,
        journal: str,
        *,
        store: Store,
        owned: OwnedPartitions,
        start_worker: StartWorker,
    ) -> None:
        self._kafka, self._group, self._journal = kafka, group, journal
        self._store, self._owned, self._start_worker = store, owned, start_worker
        self._member: AIOKafkaConsumer | None = None
        self._workers: dict[int, PartitionWorker] = {}
        self._leaving = False
        self._joined = False

    @property
    def joined(self) -> bool:
        """Whether this process is a member of the group and knows its partitions."""
        return self._joined

    async def run(self) -> None:
        """Take part in the group until cancelled."""
        while True:
            await retry(self._join_group, event="rejoining the tracker's group", pause_seconds=RETRY_PAUSE)

    async def ask_kafka(self) -> None:
        """Ask Kafka where the partitions of this process end; without any, where the first one does.

        Raises:
            KafkaError: No broker answers, or there is no connection.
        """
        if self._member is None:
            raise KafkaError("the tracker isn't connected")
        tps = [TopicPartition(self._journal, number) for number in list(self._workers) or [0]]
        for tp, end in (await look_up_each(self._member.end_offsets, tps)).items():
            self._owned.note_answer(tp.partition, end)

    async def _join_group(self) -> None:
        corrupted = False
        try:
            await self._run_member()
        except StoreCorruptedError:
            corrupted = True  # handled below: while the error is, its traceback keeps the old database open
        if corrupted:
            await self._rebuild_store()

    async def _rebuild_store(self) -> None:
        """Open a new store as soon as nothing uses the old one."""
        held = True
        while held:
            try:
                self._store.rebuild()
                held = False
            except StoreCorruptedError as error:
                log.warning("cache can't be rebuilt yet", error=str(error))
            await asyncio.sleep(RETRY_PAUSE)

    async def _run_member(self) -> None:
        """Be a member until the membership ends.

        Raises:
            StoreCorruptedError: The store can't be used.
            KafkaError: The group doesn't accept the member any more.
        """
        self._leaving = False
        self._member = await self._kafka.member(self._group, sticky=True)
        try:
            self._member.subscribe([self._journal], listener=self)
            joined_at = time.monotonic()
            while time.monotonic() - joined_at < OUTSIDE_TIMEOUT:
                await asyncio.sleep(CHECK_INTERVAL)
                self._store.check()
                check_membership(self._member)
                self._restart_stuck_workers()
                self._owned.measure()
                joined_at = time.monotonic() if self._joined else joined_at
            log.error("tracker is outside its group for too long; rejoining", seconds=OUTSIDE_TIMEOUT)
        finally:
            self._leaving, self._joined = True, False
            await self._stop_workers(list(self._workers))
            await close_consumer(self._member)

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Stop the workers: a rebalance starts."""
        self._joined = False
        await self._stop_workers([tp.partition for tp in revoked])

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Start workers: the rebalance is over. It must be quick, since no heartbeat is sent meanwhile."""
        if self._leaving or self._member is None:
            return
        self._member.pause(*assigned)
        with suppress(StoreCorruptedError):  # it would be swallowed anyway; the store remembers it
            for tp in assigned:
                owned = self._owned.add(tp.partition, self._store.partition(tp.partition))
                self._workers[tp.partition] = self._start_worker(owned, self._member)
        self._joined = True
        log.info("partitions assigned", partitions=sorted(self._workers))

    async def _stop_workers(self, numbers: Iterable[int]) -> None:
        stopping = [self._workers.pop(number) for number in numbers if number in self._workers]
        for worker in stopping:
            self._owned.remove(worker.number)
        await asyncio.gather(*(worker.stop(STOP_TIMEOUT) for worker in stopping))
        for worker in stopping:
            if worker.ended:
                self._owned.release(worker.number)

    def _restart_stuck_workers(self) -> None:
        now = time.monotonic()
        for number, worker in self._workers.items():
            if now - worker.last_progress_at > STUCK_TIMEOUT:
                log.error("restarting stuck partition worker", partition=number, seconds=STUCK_TIMEOUT)
                worker.restart("stuck")
