"""Makes Kafka clients, all in one way and with one set of limits. No topic is known by name here."""

import asyncio
from functools import partial
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from aiokafka.errors import KafkaError

from bridge.concurrency import shield_to_completion, stop_with_timeout
from bridge.core.errors import ConfigurationError
from bridge.kafka.broker_limits import bound_answers
from bridge.kafka.closed_connections import mend_closed_connections
from bridge.kafka.compression import use_fast_compressors
from bridge.kafka.diagnosis import explain_unreachable
from bridge.kafka.fetched_records import replace_fetched_records
from bridge.kafka.producers import mend_fatal_errors, retry_soon_after_commits
from bridge.kafka.security import connection_options
from bridge.kafka.tokens import TokenError
from bridge.settings.kafka import KafkaSettings
from bridge.settings.model import PREFIX
from bridge.tls.certificate_watcher import WatchedCertificates
from bridge.tls.reloading_context import ReloadingContext

MAX_BATCH_BYTES = 512 * 1024
"""The size at which a batch is sent, before compression."""

FIRST_ANSWER_SECONDS = 12.0
"""How long a process waits for Kafka's first answer. The client library waits for 40, which looks like hanging."""

RETRY_BACKOFF_MS = 20
"""Milliseconds before a transaction's request is retried; the client's default of 100 would be most of a write's time.
After a commit, it is `RETRY_AFTER_COMMIT_SECONDS`."""

log = structlog.get_logger(__name__)


class KafkaClients:
    """Makes clients of one cluster."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._options = connection_options(settings)
        self._max_batch_bytes = MAX_BATCH_BYTES
        use_fast_compressors()
        replace_fetched_records()
        mend_closed_connections()
        mend_fatal_errors()
        retry_soon_after_commits()
        bound_answers()

    @property
    def certificates(self) -> WatchedCertificates | None:
        """The certificates of the connections, if they use TLS."""
        context: ReloadingContext | None = self._options.get("ssl_context")
        return WatchedCertificates(context.files, partial(asyncio.to_thread, context.load)) if context else None

    def limit_batches(self, max_bytes: int) -> None:
        """Send smaller batches from now on, where a topic takes no larger ones than this."""
        self._max_batch_bytes = min(MAX_BATCH_BYTES, max_bytes * 9 // 10)

    async def producer(self, transactional_id: str | None = None) -> AIOKafkaProducer:
        """Start an idempotent producer; with a transactional id, its predecessor's transaction is settled by then.

        Raises:
            KafkaError: It could not start.
        """
        compression = self._settings.compression
        producer = AIOKafkaProducer(
            **self._options,
            enable_idempotence=True,
            transactional_id=transactional_id,
            # A broker ends the transaction of a process that died, so that readers don't wait for long.
            **({"transaction_timeout_ms": 15_000, "retry_backoff_ms": RETRY_BACKOFF_MS} if transactional_id else {}),
            max_batch_size=self._max_batch_bytes,
            compression_type=None if compression == "none" else compression,
            request_timeout_ms=15_000,
        )
        return await self._start(producer)

    async def member(self, group: str, *, sticky: bool = False) -> AIOKafkaConsumer:
        """Start a member of a consumer group, without a subscription yet; the caller commits offsets.

        Args:
            group: The group's id.
            sticky: Keep most partitions over a rebalance. For one consumer of a process only: the assignor keeps its
                knowledge at its class.
        """
        consumer = AIOKafkaConsumer(
            **self._options,
            group_id=group,
            group_instance_id=self._settings.group_instance_id,
            enable_auto_commit=False,
            auto_offset_reset="none",
            isolation_level="read_committed",
            partition_assignment_strategy=(StickyPartitionAssignor if sticky else RoundRobinPartitionAssignor,),
            # A member learns by its next heartbeat that the others wait for it in a rebalance.
            heartbeat_interval_ms=500,
            # A partition that was added is found within this time.
            metadata_max_age_ms=10_000,
            # No fetch goes to a broker while another one waits there, so a quiet partition must not wait for long.
            fetch_max_wait_ms=30,
            # A member without partitions fetches nothing, and would leave its group for good. Workers have a watchdog.
            max_poll_interval_ms=2**31 - 1,
        )
        return await self._start(consumer)

    async def reader(
        self, *, committed: bool, max_wait_ms: int = 30, max_fetch_bytes: int = 1024 * 1024
    ) -> AIOKafkaConsumer:
        """Start a consumer that belongs to no group: `assign` it, `seek` it, read.

        Args:
            committed: Read only what transactions committed.
            max_wait_ms: How long a broker may hold a fetch when there is nothing new. No other fetch goes to it
                meanwhile, so a quiet partition delays the others.
            max_fetch_bytes: What one fetch may bring of a partition; a larger batch of records comes alone.
        """
        consumer = AIOKafkaConsumer(
            **self._options,
            enable_auto_commit=False,
            auto_offset_reset="none",
            isolation_level="read_committed" if committed else "read_uncommitted",
            fetch_max_wait_ms=max_wait_ms,
            max_partition_fetch_bytes=max_fetch_bytes,
        )
        return await self._start(consumer)

    async def admin(self) -> AIOKafkaAdminClient:
        """Start an admin client.

        Raises:
            ConfigurationError: There is no Kafka at the bootstrap servers, or no token for it.
        """
        await self._check_token()
        admin = AIOKafkaAdminClient(**self._options)
        try:
            async with asyncio.timeout(FIRST_ANSWER_SECONDS):
                await admin.start()
        except (KafkaError, OSError, UnicodeError) as error:  # the last one for a name that no host can have
            await stop_with_timeout(admin.close(), "admin client")
            why = await explain_unreachable(self._settings.bootstrap_servers, self._options)
            raise ConfigurationError(f"{PREFIX}KAFKA__BOOTSTRAP_SERVERS: no Kafka answers at {why}") from error
        return admin

    async def _check_token(self) -> None:
        """Fetch a token, if connections need one: the client library would hide why there is none."""
        if provider := self._options.get("sasl_oauth_token_provider"):
            try:
                await provider.token()
            except TokenError as error:
                raise ConfigurationError(str(error)) from error

    @staticmethod
    async def _start(client: Any) -> Any:
        try:
            # A start that is cancelled half-way leaves connections behind that nobody can close.
            await shield_to_completion(client.start())
        except BaseException:
            await stop_with_timeout(client.stop(), type(client).__name__)
            raise
        return client
