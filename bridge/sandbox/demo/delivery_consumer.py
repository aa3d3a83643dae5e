"""The demo's Kafka clients: the topics of one run, a producer for `sms.sent`, a consumer of `sms.delivery`.

The bridge creates its own topics; `bridge_process.py` passes their names to it.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import NamedTuple, Self
from uuid import uuid4

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from bridge.sandbox.kafka.broker import create_topics
from bridge.sandbox.kafka.installation import SandboxError

SENT_PARTITIONS = 3
CLEANUP_TIMEOUT_SECONDS = 10.0
"""For deleting a run's topics; the cluster may be gone already."""


class RunNames(NamedTuple):
    """The names of one run's topics and consumer group."""

    sent: str
    delivery: str
    journal: str
    state: str
    dead_letter: str
    group: str

    @classmethod
    def make_unique(cls, run: str) -> Self:
        """Return names that start with the kind of run and are not in use on a shared cluster."""
        prefix = f"{run}-{uuid4().hex[:8]}"
        return cls(**{name: f"{prefix}.{name}" for name in cls._fields[:-1]}, group=prefix)

    @property
    def topics(self) -> tuple[str, ...]:
        """All names except the group."""
        return self[:-1]

    @property
    def topic_settings(self) -> dict[str, str]:
        """The bridge's settings of the group TOPICS."""
        return {name.upper(): topic for name, topic in zip(self._fields, self.topics, strict=False)}


@asynccontextmanager
async def manage_topics(servers: str, names: RunNames) -> AsyncIterator[None]:
    """Create the sender's topic for this block; delete all topics of the run after it.

    Raises:
        SandboxError: No cluster answers, or it refuses the topic.
    """
    try:
        admin = AIOKafkaAdminClient(bootstrap_servers=servers)
        await admin.start()
    except KafkaError as error:
        raise SandboxError(f"no Kafka answers at {servers} ({type(error).__name__})") from error
    try:
        await create_topics(admin, [names.sent], SENT_PARTITIONS, 1)
        yield
    finally:
        with suppress(KafkaError, TimeoutError, OSError):
            async with asyncio.timeout(CLEANUP_TIMEOUT_SECONDS):
                existing = set(await admin.list_topics())
                await admin.delete_topics([name for name in names.topics if name in existing])
        await admin.close()


@asynccontextmanager
async def open_publisher(servers: str, topic: str) -> AsyncIterator[Callable[[bytes, bytes], Awaitable[object]]]:
    """Yield a function that publishes a key and a value, and returns when all replicas have the record."""
    async with AIOKafkaProducer(bootstrap_servers=servers, acks="all", enable_idempotence=True) as producer:

        async def publish(key: bytes, value: bytes) -> object:
            return await producer.send_and_wait(topic, value, key=key)

        yield publish


async def read_events(servers: str, topic: str, on_event: Callable[[bytes], None]) -> None:
    """Read a topic's committed records from its beginning until cancelled, in order within each partition."""
    async with AIOKafkaConsumer(
        topic,
        bootstrap_servers=servers,
        isolation_level="read_committed",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        fetch_max_wait_ms=50,
    ) as consumer:
        async for record in consumer:
            on_event(record.value)
