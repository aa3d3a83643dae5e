"""The tracker's consumer group: partitions come and go, each with its worker, and no worker may hang unseen."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import KafkaError

from bridge.core.errors import StoreCorruptedError
from bridge.kafka.clients import format_error
from bridge.kafka.consumers import check_membership, close_consumer
from bridge.state.store import Store
from bridge.tracker.worker import Duties, PartitionWorker

STOP_WITHIN = 5.0
"""Seconds that a transaction under way gets when its partition is taken away."""

STUCK_AFTER = 60.0
"""Seconds without a sign of life after which a worker is begun again."""

OUTSIDE_AFTER = 60.0
"""Seconds outside the group, a rebalance included, after which its member is made anew."""

LOOK_EVERY = 1.0
PAUSE = 1.0

log = structlog.get_logger(__name__)


class Tracker(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    """One member of the tracker's consumer group.

    Args:
        duties: What every worker needs.
        store: The cache of all partitions.
    """

    def __init__(self, duties: Duties, store: Store) -> None:
        self._duties, self._store = duties, store
        self._consumer: AIOKafkaConsumer | None = None
        self._providers: set[str] = set()
        self._leaving = False
        self.workers: dict[int, PartitionWorker] = {}
        self.joined = False

    async def run(self) -> None:
        """Take part until cancelled."""
        while True:
            try:
                await self._member()
            except StoreCorruptedError:
                await self._renew()
            except (KafkaError, OSError) as error:
                log.warning("the tracker joins again", error=format_error(error))
                await asyncio.sleep(PAUSE)

    async def _renew(self) -> None:
        """Begin the cache anew, as soon as nothing under way holds the old one."""
        held = True
        while held:
            try:
                self._store.renew()
                held = False
            except StoreCorruptedError as error:
                log.warning("the cache can't be begun anew yet", error=str(error))
            await asyncio.sleep(PAUSE)

    async def _member(self) -> None:
        self._leaving = False
        self._consumer = await self._duties.kafka.member(self._duties.group, sticky=True)
        try:
            self._consumer.subscribe([self._duties.topics.journal], listener=self)
            inside = time.monotonic()
            while time.monotonic() - inside < OUTSIDE_AFTER:
                await asyncio.sleep(LOOK_EVERY)
                if self._store.damaged:
                    raise StoreCorruptedError(self._store.damaged)
                check_membership(self._consumer)
                self._watch()
                inside = time.monotonic() if self.joined else inside
            log.error("the tracker is outside its group for too long; it joins again")
        finally:
            self._leaving, self.joined = True, False
            await self._stop_workers(list(self.workers))
            await close_consumer(self._consumer)

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """A rebalance began: hand everything over."""
        self.joined = False
        await self._stop_workers([tp.partition for tp in revoked])

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """The rebalance is over. Only starts things: no heartbeat runs meanwhile."""
        if self._leaving or self._consumer is None:
            return
        self._consumer.pause(*assigned)
        with suppress(StoreCorruptedError):  # it would be swallowed anyway; the store remembers it
            for tp in assigned:
                attempts = self._store.partition(tp.partition)
                self.workers[tp.partition] = PartitionWorker(self._duties, self._consumer, tp.partition, attempts)
        self.joined = True
        self._duties.metrics.partitions_assigned.set(len(self.workers))
        log.info("partitions assigned", partitions=sorted(self.workers))

    async def _stop_workers(self, numbers: Iterable[int]) -> None:
        workers = [self.workers.pop(number) for number in numbers if number in self.workers]
        await asyncio.gather(*(worker.stop(STOP_WITHIN) for worker in workers))
        for worker in workers:
            self._duties.metrics.journal_lag_entries.remove(str(worker.number))
            self._duties.metrics.journal_lag_seconds.remove(str(worker.number))
        self._duties.metrics.partitions_assigned.set(len(self.workers))

    def _watch(self) -> None:
        now = time.monotonic()
        for worker in self.workers.values():
            if now - worker.beat > STUCK_AFTER:
                log.error("a partition's worker hangs; begun again", partition=worker.number)
                self._duties.metrics.workers_restarted.labels("stuck").inc()
                worker.restart()
        self._measure()

    def _measure(self) -> None:
        metrics, followed, oldest = self._duties.metrics, Counter[str](), dict[str, int]()
        for worker in self.workers.values():
            followed.update(worker.attempts.followed)
            for provider, started in worker.attempts.oldest().items():
                oldest[provider] = min(started, oldest.get(provider, started))
        self._providers |= set(followed)
        now = time.time()
        for provider in self._providers:
            metrics.attempts_followed.labels(provider).set(followed[provider])
            age = now - oldest[provider] / 1000 if provider in oldest else 0
            metrics.oldest_followed_age.labels(provider).set(max(0, age))
        metrics.parked_reports.set(sum(worker.attempts.parked for worker in self.workers.values()))
