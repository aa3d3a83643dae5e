"""How this service talks to Kafka: clients made one way, with one set of limits. No topic is known by name here."""

import re
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from aiokafka.errors import KafkaError

from bridge.concurrency import shield_to_completion, stop_with_timeout
from bridge.core.errors import ConfigurationError
from bridge.kafka.compression import use_fast_lz4
from bridge.kafka.security import connection_options
from bridge.settings.model import PREFIX, KafkaSettings

MAX_BATCH_BYTES = 512 * 1024
"""How full a batch gets before it is sent, uncompressed."""

RETRY_BACKOFF_MS = 20
"""Milliseconds before a transaction's request is tried again. As a rule the broker still ends the transaction before:
every twentieth write that comes right after a commit is told so, and the client's 100 would be most of what it takes.
"""

_NOISE = re.compile(r"^\[Error \d+\] |, <AddressFamily[^>]*>")
"""What the client library's errors say besides, and nobody needs."""

log = structlog.get_logger(__name__)


class KafkaClients:
    """Makes clients of one cluster."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._options = connection_options(settings)
        use_fast_lz4()

    async def producer(self, transactional_id: str | None = None) -> AIOKafkaProducer:
        """A started idempotent producer; with a transactional id, its predecessor's transaction is settled by then.

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
            max_batch_size=MAX_BATCH_BYTES,
            compression_type=None if compression == "none" else compression,
            request_timeout_ms=15_000,
        )
        return await self._started(producer)

    async def member(self, group: str, *, sticky: bool = False) -> AIOKafkaConsumer:
        """A started member of a consumer group, without a subscription yet; offsets are committed by the caller.

        Args:
            group: The group's id.
            sticky: Keep most partitions over a rebalance. For one consumer of a process only: the assignor holds
                what it knows at its class.
        """
        consumer = AIOKafkaConsumer(
            **self._options,
            group_id=group,
            group_instance_id=self._settings.group_instance_id,
            enable_auto_commit=False,
            auto_offset_reset="none",
            partition_assignment_strategy=(StickyPartitionAssignor if sticky else RoundRobinPartitionAssignor,),
            # No fetch goes to a broker while another waits there, so a quiet partition must not wait for long.
            fetch_max_wait_ms=30,
            # A member without partitions asks for nothing, and would leave its group for good. Workers have a watchdog.
            max_poll_interval_ms=2**31 - 1,
        )
        return await self._started(consumer)

    async def reader(self, *, committed: bool, max_wait_ms: int = 30) -> AIOKafkaConsumer:
        """A started consumer that belongs to no group: `assign` it, `seek` it, read.

        Args:
            committed: Only what transactions committed.
            max_wait_ms: Milliseconds that a broker may keep a fetch when there is nothing new. No other goes to it
                meanwhile, so of several partitions a quiet one delays the others.
        """
        consumer = AIOKafkaConsumer(
            **self._options,
            enable_auto_commit=False,
            auto_offset_reset="none",
            isolation_level="read_committed" if committed else "read_uncommitted",
            fetch_max_wait_ms=max_wait_ms,
        )
        return await self._started(consumer)

    async def admin(self) -> AIOKafkaAdminClient:
        """A started admin client.

        Raises:
            ConfigurationError: There is no Kafka at the bootstrap servers.
        """
        admin = AIOKafkaAdminClient(**self._options)
        try:
            await admin.start()
        except (KafkaError, OSError) as error:
            await stop_with_timeout(admin.close(), "admin client")
            servers = ", ".join(self._settings.bootstrap_servers)
            raise ConfigurationError(
                f"{PREFIX}KAFKA__BOOTSTRAP_SERVERS: no Kafka answers at {servers} ({format_error(error)})"
            ) from error
        return admin

    @staticmethod
    async def _started(client: Any) -> Any:
        try:
            await shield_to_completion(
                client.start()
            )  # cut off half-way it leaves connections behind that nobody knows
        except BaseException:
            await stop_with_timeout(client.stop(), type(client).__name__)
            raise
        return client


def format_error(error: BaseException) -> str:
    """What an error says, in one line that names its kind; Kafka's own already do."""
    text = _NOISE.sub("", str(error))
    return text if text.startswith(type(error).__name__) else f"{type(error).__name__}: {text}"
