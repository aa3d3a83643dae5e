"""How this service talks to Kafka: clients made one way, with one set of limits. No topic is known by name here."""

import asyncio
import re
import ssl
from collections.abc import Awaitable, Coroutine, Iterable, Sequence
from typing import Any, NamedTuple

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.abc import AbstractTokenProvider
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from aiokafka.errors import KafkaError
from aiokafka.producer.message_accumulator import BatchBuilder

from bridge.core.errors import Misconfigured
from bridge.kafka.compression import use_fast_lz4
from bridge.settings.model import PREFIX, KafkaSettings

BATCH_BYTES = 512 * 1024
"""How full a batch gets before it is sent, uncompressed."""

LARGEST_ENTRY = 512 * 1024
"""Bytes of a journal entry: what is made of it (an event, a state) then stays below a broker's default of 1 MiB."""

RETRY_BACKOFF = 20
"""Milliseconds before a transaction's request is tried again. As a rule the broker still ends the transaction before:
every twentieth write that comes right after a commit is told so, and the client's 100 would be most of what it takes.
"""

STOP_WITHIN = 5.0
"""Seconds that a client may take to stop."""

Header = tuple[str, bytes]

_NOISE = re.compile(r"^\[Error \d+\] |, <AddressFamily[^>]*>")
"""What the client library's errors say besides, and nobody needs."""

log = structlog.get_logger(__name__)


class Record(NamedTuple):
    """Something to be written, its partition already chosen. The timestamp is milliseconds since the epoch."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[Header] = ()
    timestamp: int | None = None

    @property
    def size(self) -> int:
        """Bytes of key, value and headers."""
        size = len(self.key or b"") + len(self.value or b"")
        return size + sum(len(name) + len(value) + 10 for name, value in self.headers) if self.headers else size


class Kafka:
    """Makes clients of one cluster."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._options = _options(settings)
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
            **({"transaction_timeout_ms": 15_000, "retry_backoff_ms": RETRY_BACKOFF} if transactional_id else {}),
            max_batch_size=BATCH_BYTES,
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

    async def reader(self, *, committed: bool, max_wait: int = 30) -> AIOKafkaConsumer:
        """A started consumer that belongs to no group: `assign` it, `seek` it, read.

        Args:
            committed: Only what transactions committed.
            max_wait: Milliseconds that a broker may keep a fetch when there is nothing new. No other goes to it
                meanwhile, so of several partitions a quiet one delays the others.
        """
        consumer = AIOKafkaConsumer(
            **self._options,
            enable_auto_commit=False,
            auto_offset_reset="none",
            isolation_level="read_committed" if committed else "read_uncommitted",
            fetch_max_wait_ms=max_wait,
        )
        return await self._started(consumer)

    async def admin(self) -> AIOKafkaAdminClient:
        """A started admin client.

        Raises:
            Misconfigured: There is no Kafka at the bootstrap servers.
        """
        admin = AIOKafkaAdminClient(**self._options)
        try:
            await admin.start()
        except (KafkaError, OSError) as error:
            await stopped(admin.close(), "admin client")
            servers = ", ".join(self._settings.bootstrap_servers)
            raise Misconfigured(
                f"{PREFIX}KAFKA__BOOTSTRAP_SERVERS: no Kafka answers at {servers} ({told(error)})"
            ) from error
        return admin

    @staticmethod
    async def _started(client: Any) -> Any:
        try:
            await uncut(client.start())  # cut off half-way it leaves connections behind that nobody knows
        except BaseException:
            await stopped(client.stop(), type(client).__name__)
            raise
        return client


def told(error: BaseException) -> str:
    """What an error says, in one line that names its kind; Kafka's own already do."""
    text = _NOISE.sub("", str(error))
    return text if text.startswith(type(error).__name__) else f"{type(error).__name__}: {text}"


async def uncut(work: Coroutine[Any, Any, Any]) -> None:
    """Do what the client library must not leave half done: who is cancelled meanwhile waits for its end, not long."""
    doing = asyncio.ensure_future(work)
    doing.add_done_callback(seen)  # perhaps nobody else asks
    try:
        await asyncio.shield(doing)
    except asyncio.CancelledError:
        await asyncio.wait([doing], timeout=STOP_WITHIN)
        doing.cancel()
        raise


def seen(done: asyncio.Future[Any]) -> None:
    """Take note of how something ended, so that its error isn't news for the event loop when nobody else asks."""
    if not done.cancelled():
        done.exception()


async def stopped(stopping: Awaitable[Any], what: str) -> None:
    """Wait for a client's stop, but not for long and whatever it raises: what it held is settled by its successor.

    It may even be cancelled from within, which isn't meant for whoever waits.
    """
    doing = asyncio.ensure_future(stopping)
    doing.add_done_callback(seen)
    done, _ = await asyncio.wait([doing], timeout=STOP_WITHIN)
    if not done:
        doing.cancel()
    elif doing.cancelled() or doing.exception():
        log.debug("client did not stop cleanly", client=what, error=repr(doing))


Sent = tuple[asyncio.Future[Any], int]
"""A batch on its way: the future of its metadata, and how many records it has."""


async def send_batches(producer: AIOKafkaProducer, records: Iterable[Record]) -> list[Sent]:
    """Hand records to a producer, in batches. One that fails poisons it for good: its sequence number is spent."""
    lanes: dict[tuple[str, int], list[Record]] = {}
    for record in records:
        lanes.setdefault((record.topic, record.partition), []).append(record)
    sent = await asyncio.gather(*(send_lane(producer, lane) for lane in lanes.values()))
    return [batch for lane in sent for batch in lane]


async def send_lane(producer: AIOKafkaProducer, records: Sequence[Record]) -> list[Sent]:
    """Hand records of one partition to a producer; returns when the batch before them is on the wire."""
    topic, partition = records[0].topic, records[0].partition
    sent: list[Sent] = []
    builder = producer.create_batch()
    for record in records:
        if not _fits(builder, record):
            sent.append(await _send(producer, builder, topic, partition))
            builder = producer.create_batch()
            _fits(builder, record)
    sent.append(await _send(producer, builder, topic, partition))
    return sent


async def _send(producer: AIOKafkaProducer, builder: BatchBuilder, topic: str, partition: int) -> Sent:
    future = await producer.send_batch(builder, topic, partition=partition)
    # Whoever waits for it may be cut off before it fails; that isn't news for the event loop.
    future.add_done_callback(seen)
    return future, builder.record_count()


def _fits(builder: BatchBuilder, record: Record) -> bool:
    """Add a record; an empty batch takes any."""
    _topic, _partition, key, value, headers, timestamp = record
    return builder.append(timestamp=timestamp, key=key, value=value, headers=list(headers)) is not None


class _StaticToken(AbstractTokenProvider):  # type: ignore[misc]  # aiokafka has no types
    """The SASL password as an OAuth bearer token, for a token that something else renews."""

    def __init__(self, token: str) -> None:
        self._token = token

    async def token(self) -> str:
        return self._token


def _options(settings: KafkaSettings) -> dict[str, Any]:
    options: dict[str, Any] = {
        "bootstrap_servers": list(settings.bootstrap_servers),
        "client_id": settings.group_id,
        "security_protocol": settings.security_protocol,
    }
    if settings.security_protocol.endswith("SSL"):
        options["ssl_context"] = _ssl_context(settings)
    if settings.security_protocol.startswith("SASL"):
        options |= _sasl(settings)
    return options


def _sasl(settings: KafkaSettings) -> dict[str, Any]:
    password = settings.sasl_password.get_secret_value() if settings.sasl_password else None
    if settings.sasl_mechanism == "GSSAPI":
        return {"sasl_mechanism": "GSSAPI"}
    if password is None:
        raise Misconfigured(f"{PREFIX}KAFKA__SASL_PASSWORD is missing; {settings.sasl_mechanism} needs it")
    if settings.sasl_mechanism == "OAUTHBEARER":
        return {"sasl_mechanism": "OAUTHBEARER", "sasl_oauth_token_provider": _StaticToken(password)}
    return {
        "sasl_mechanism": settings.sasl_mechanism,
        "sasl_plain_username": settings.sasl_username,
        "sasl_plain_password": password,
    }


def _ssl_context(settings: KafkaSettings) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=settings.ssl_cafile)
        context.check_hostname = settings.ssl_check_hostname
        if settings.ssl_certfile:
            secret = settings.ssl_key_password
            password = secret.get_secret_value() if secret else None
            context.load_cert_chain(settings.ssl_certfile, settings.ssl_keyfile, password)
    except OSError as error:
        raise Misconfigured(f"{PREFIX}KAFKA__SSL_...: the files can't be read ({error})") from error
    return context
