"""The demo's side of Kafka: the topics of one run, a producer for `sms.sent`, a reader of `sms.delivery`.

The bridge is not touched from here: it makes its own topics, and is told their names by `service.py`.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import NamedTuple, Self
from uuid import uuid4

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError

from bridge.sandbox.kafka.installation import SandboxError

SENT_PARTITIONS = 3
CLEAN_UP_WITHIN = 10.0
"""Seconds for a cluster to forget a run's topics; it may be gone itself."""


class RunNames(NamedTuple):
    """What everything of one run is called in Kafka."""

    sent: str
    delivery: str
    journal: str
    state: str
    dead_letter: str
    group: str

    @classmethod
    def own(cls) -> Self:
        """Names that nobody else on a shared cluster uses."""
        prefix = f"demo-{uuid4().hex[:8]}"
        return cls(**{name: f"{prefix}.{name}" for name in cls._fields[:-1]}, group=prefix)

    @property
    def topics(self) -> tuple[str, ...]:
        """All but the group."""
        return self[:-1]


@asynccontextmanager
async def run_topics(servers: str, names: RunNames) -> AsyncIterator[None]:
    """The topic that the sender owns, there for this block; after it, all of the run's are removed.

    Raises:
        SandboxError: No cluster answers, or it refuses the topic.
    """
    try:
        admin = AIOKafkaAdminClient(bootstrap_servers=servers)
        await admin.start()
    except KafkaError as error:
        raise SandboxError(f"no Kafka answers at {servers} ({type(error).__name__})") from error
    try:
        response = await admin.create_topics([NewTopic(names.sent, SENT_PARTITIONS, 1)])
        if refused := [text for _, code, text in response.topic_errors if code]:
            raise SandboxError(f"the topic {names.sent} can't be created: {refused[0]}")
        yield
    finally:
        with suppress(KafkaError, TimeoutError, OSError):
            async with asyncio.timeout(CLEAN_UP_WITHIN):
                there = set(await admin.list_topics())
                await admin.delete_topics([name for name in names.topics if name in there])
        await admin.close()


@asynccontextmanager
async def open_publisher(servers: str, topic: str) -> AsyncIterator[Callable[[bytes, bytes], Awaitable[object]]]:
    """What publishes a key and a value to a topic, and returns when all replicas have it."""
    async with AIOKafkaProducer(bootstrap_servers=servers, acks="all", enable_idempotence=True) as producer:

        async def publish(key: bytes, value: bytes) -> object:
            return await producer.send_and_wait(topic, value, key=key)

        yield publish


async def read_events(servers: str, topic: str, take: Callable[[bytes], None]) -> None:
    """Read a topic from its beginning, only what was committed, until cancelled; in order within a partition."""
    async with AIOKafkaConsumer(
        topic,
        bootstrap_servers=servers,
        isolation_level="read_committed",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        fetch_max_wait_ms=50,
    ) as consumer:
        async for record in consumer:
            take(record.value)
