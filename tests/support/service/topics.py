"""The topics of one installation: writes `sms.sent`, and reads everything else with an independent consumer."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, NamedTuple, Self

from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    ConsumerGroupTopicPartitions,
    KafkaError,
    KafkaException,
    Producer,
)
from confluent_kafka import TopicPartition as Place
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # it means to export them
    AdminClient,
    NewTopic,
    OffsetSpec,
)

from tests.support.service.checks import Checks, Record, read
from tests.support.waiting import wait_until

WITHIN = 60.0
"""Seconds in which whatever is waited for has to come."""


class Sent(NamedTuple):
    """The position of a published sent event."""

    topic: str
    partition: int
    offset: int


KEEP_ALL = {"retention.ms": "-1"}
"""Records with old timestamps would expire in the middle of a test."""


class Topics:
    """One installation's topics, which are read after the bridge has created them.

    Args:
        bootstrap_servers: Kafka.
        prefix: The prefix of all names.
        sent: The names of topics with sent events.
        interim: Whether interim statuses are published.
    """

    def __init__(
        self, bootstrap_servers: str, prefix: str, *, sent: Sequence[str] = ("sent",), interim: bool = True
    ) -> None:
        self.group = prefix
        self.sent = [f"{prefix}.{name}" for name in sent]
        self.delivery, self.journal = f"{prefix}.delivery", f"{prefix}.journal"
        self.state, self.dead_letter = f"{prefix}.state", f"{prefix}.dead"
        self.events: list[Record] = []
        self.dead_letters: list[Record] = []
        self.entries: list[Record] = []
        self.checks = Checks(f"/sms-bridge/{prefix}", interim=interim)
        self._servers: dict[str, Any] = {"bootstrap.servers": bootstrap_servers, "log_level": 0}
        self.admin = AdminClient(self._servers)
        self.reconnect_sender()
        self._consumer: Any = None
        self._ends: dict[tuple[str, int], int] = {}
        self._takes = {
            self.delivery: (self.checks.check_event, self.events),
            self.dead_letter: (self.checks.check_dead_letter, self.dead_letters),
            self.journal: (self.checks.check_entry, self.entries),
        }

    @property
    def settings(self) -> dict[str, str]:
        """The bridge's settings for these topics."""
        return {
            "KAFKA__BOOTSTRAP_SERVERS": self._servers["bootstrap.servers"],
            "KAFKA__GROUP_ID": self.group,
            "TOPICS__SENT": ",".join(self.sent),
            "TOPICS__DELIVERY": self.delivery,
            "TOPICS__JOURNAL": self.journal,
            "TOPICS__STATE": self.state,
            "TOPICS__DEAD_LETTER": self.dead_letter,
            "TOPICS__JOURNAL_PARTITIONS": "4",
            "TOPICS__DELIVERY_PARTITIONS": "3",
            "LOG__FORMAT": "json",
        }

    async def __aenter__(self) -> Self:
        await self.create(self.sent, 2, KEEP_ALL)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._consumer is not None:
            await asyncio.to_thread(self._consumer.close)

    def reconnect_sender(self) -> None:
        """Make a new producer of sent events, which knows the topics as they are now."""
        self._producer = Producer({**self._servers, "linger.ms": 1, "message.timeout.ms": 60_000})

    async def create_again(self) -> None:
        """Create the topics of sent events, as soon as the broker has deleted them."""

        async def is_created() -> bool:
            try:
                await self.create(self.sent, 2, KEEP_ALL)
            except KafkaException:
                return False
            return True

        await wait_until(is_created, WITHIN, lambda: "the topics can't be created again")
        self.reconnect_sender()

    async def create(self, names: Iterable[str], partitions: int, config: Mapping[str, str] = {}) -> None:
        """Create topics as another team would."""
        made = self.admin.create_topics([NewTopic(name, partitions, 1, config=dict(config)) for name in names])
        await asyncio.gather(*map(asyncio.wrap_future, made.values()))

    async def publish(
        self,
        value: bytes | Mapping[str, Any] | None,
        *,
        key: str | None = None,
        headers: Mapping[str, str | None] = {},
        topic: str | None = None,
        at: int | None = None,
    ) -> Sent:
        """Publish one sent event and return its position."""
        [sent] = await self.publish_all([value], key=key, headers=headers, topic=topic, at=at)
        return sent

    async def publish_all(
        self,
        values: Sequence[bytes | Mapping[str, Any] | None],
        *,
        key: str | None = None,
        headers: Mapping[str, str | None] = {},
        topic: str | None = None,
        at: int | None = None,
    ) -> list[Sent]:
        """Publish sent events and return their positions."""
        loop, futures = asyncio.get_running_loop(), []
        for value in values:
            future: asyncio.Future[Sent] = loop.create_future()
            futures.append(future)
            data = json.dumps(value, ensure_ascii=False).encode() if isinstance(value, Mapping) else value
            options: dict[str, Any] = {} if at is None else {"timestamp": at}
            self._producer.produce(
                topic or self.sent[0],
                data,
                key,
                headers=dict(headers),
                on_delivery=_into(future),
                **options,
            )
        await asyncio.to_thread(self._producer.flush, 60)
        return await asyncio.gather(*futures)

    async def wait_until(self, condition: Callable[[], bool], what: str, within: float = WITHIN) -> None:
        """Read until a condition holds."""

        async def holds() -> bool:
            await self.read()
            return condition()

        if condition():
            return
        told = lambda: f"{what}: not within {within} s; last event {self.events[-1:]}"  # noqa: E731
        await wait_until(holds, within, told)

    async def wait_until_async(
        self, condition: Callable[[], Awaitable[bool]], what: str, within: float = WITHIN
    ) -> None:
        """Read until an asynchronous condition holds."""

        async def holds() -> bool:
            await self.read()
            return await condition()

        await wait_until(holds, within, lambda: f"{what}: not within {within} s")

    async def read(self) -> None:
        """Read and check the available records."""
        if self._consumer is None:
            await self._open()
        for message in await asyncio.to_thread(self._consumer.consume, 2_000, 0.05):
            error = message.error()
            if error is None:
                check, into = self._takes[message.topic()]
                record = read(message)
                check(record)
                into.append(record)
            elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - it is spelt so
                self._ends[message.topic(), message.partition()] = message.offset()
            else:
                assert error.retriable() or error.code() == KafkaError._TRANSPORT, str(error)  # noqa: SLF001

    async def _open(self) -> None:
        self._consumer = Consumer(
            {
                **self._servers,
                "group.id": f"{self.group}.reader",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "isolation.level": "read_committed",
                "auto.offset.reset": "error",
                "reconnect.backoff.max.ms": 500,
            }
        )
        self._consumer.assign(
            [Place(name, number, OFFSET_BEGINNING) for name in self._takes for number in await self._numbers(name)]
        )

    async def _numbers(self, topic: str) -> list[int]:
        described = await asyncio.to_thread(self.admin.list_topics, topic, 60)
        return list(described.topics[topic].partitions)

    async def fetch_end_offsets(self, *topics: str) -> dict[tuple[str, int], int]:
        """Return the end offset of every partition."""
        places = [Place(name, number) for name in topics for number in await self._numbers(name)]
        found = self.admin.list_offsets({place: OffsetSpec.latest() for place in places})  # type: ignore[no-untyped-call]
        offsets = await asyncio.gather(*map(asyncio.wrap_future, found.values()))
        return {(place.topic, place.partition): one.offset for place, one in zip(found, offsets, strict=True)}

    async def fetch_committed(self, group: str) -> dict[tuple[str, int], int]:
        """Return the committed offsets of a group of the bridge: `intake` or `tracker`."""
        asked = ConsumerGroupTopicPartitions(f"{self.group}.{group}")
        [future] = self.admin.list_consumer_group_offsets([asked], require_stable=True, request_timeout=5).values()
        found = await asyncio.wrap_future(future)
        return {(place.topic, place.partition): place.offset for place in found.topic_partitions}

    async def rewind(self) -> None:
        """Reset the intake's offsets to the earliest while no bridge runs."""
        places = [Place(name, number, 0) for name in self.sent for number in await self._numbers(name)]
        group = ConsumerGroupTopicPartitions(f"{self.group}.intake", places)
        [future] = self.admin.alter_consumer_group_offsets([group]).values()
        await asyncio.wrap_future(future)

    async def wait_until_folded(self, within: float = WITHIN) -> None:
        """Return when everything that was sent and reported is folded, and all events are read."""

        async def folded(group: str, *topics: str) -> bool:
            try:
                ends, committed = await self.fetch_end_offsets(*topics), await self.fetch_committed(group)
            except KafkaException:
                # The broker is away, or was: this client's connection to a group's coordinator doesn't survive that.
                self.admin = AdminClient(self._servers)
                return False
            return all(committed.get(place, 0) >= end for place, end in ends.items())

        async def all_folded() -> bool:
            return await folded("intake", *self.sent) and await folded("tracker", self.journal)

        await wait_until(all_folded, within, lambda: "the bridge doesn't come to the end of its topics")
        ends = await self.fetch_end_offsets(*self._takes)
        await self.wait_until(
            lambda: all(self._ends.get(place, 0) >= end for place, end in ends.items()), "reading to the end", within
        )

    def story(self, provider: str, account: str, provider_message_id: str) -> list[Record]:
        """Return the events of one attempt, in order."""
        return self.checks.stories.get((provider, account, provider_message_id), [])


def _into(future: asyncio.Future[Sent]) -> Callable[[Any, Any], None]:
    loop = future.get_loop()

    def delivered(error: Any, message: Any) -> None:
        if error is not None:
            loop.call_soon_threadsafe(future.set_exception, RuntimeError(str(error)))
        else:
            sent = Sent(message.topic(), message.partition(), message.offset())
            loop.call_soon_threadsafe(future.set_result, sent)

    return delivered
