"""Reads everything that the bridges write, with an independent read_committed consumer and without wires."""

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any

import orjson
from aiokafka import AIOKafkaConsumer
from aiokafka import TopicPartition as OtherTopicPartition
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition

from bridge.sandbox.demo.delivery_consumer import RunNames
from tests.chaos.event_checks import DeliveryRecord
from tests.chaos.ledger import Ledger
from tests.support.waiting import wait_until

READ_TIMEOUT_SECONDS = 60.0
"""For reading until the end of all topics."""


class Reader:
    """Reads into a ledger.

    Args:
        servers: Kafka's bootstrap servers.
        names: The topics.
        partitions: Each topic's number of partitions.
        ledger: Records what is read.
    """

    def __init__(self, servers: str, names: RunNames, partitions: Mapping[str, int], ledger: Ledger) -> None:
        self._consumer = Consumer(
            {
                "bootstrap.servers": servers,
                "group.id": f"{names.group}.verifier",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "isolation.level": "read_committed",
                "auto.offset.reset": "error",
                "reconnect.backoff.max.ms": 500,
                "log_level": 0,
            }
        )
        self._handlers: Mapping[str, Callable[[Any], None]] = {
            names.delivery: lambda message: ledger.add_record(_read_delivery(message), message.partition()),
            names.journal: lambda message: ledger.add_journal_entry(message.value(), message.timestamp()[1]),
            names.dead_letter: lambda message: ledger.letters.add(_read_headers(message), message.value() or b""),
        }
        self._partitions = [(name, number) for name in self._handlers for number in range(partitions[name])]
        self._consumer.assign([TopicPartition(*one, OFFSET_BEGINNING) for one in self._partitions])
        self._end_offsets: dict[tuple[str, int], int] = {}
        """Each partition's end offset when its end was last reached; transaction markers have offsets, too."""
        self._servers = servers

    async def run(self) -> None:
        """Read until cancelled."""
        try:
            while True:
                await self._read()
        finally:
            await asyncio.to_thread(self._consumer.close)

    async def wait_until_end(self) -> None:
        """Return when everything was read that was in the topics when this was called.

        Raises:
            AssertionError: A transaction was not ended, or the reader is too slow.
        """
        ends = await self._fetch_ends()

        async def is_at_end() -> bool:
            return all(self._end_offsets.get(one, 0) >= end for one, end in ends.items())

        await wait_until(
            is_at_end, READ_TIMEOUT_SECONDS, lambda: f"the reader is at {self._end_offsets}; the ends are {ends}"
        )

    async def _fetch_ends(self) -> dict[tuple[str, int], int]:
        # The other library's admin client aborts the process when a broker dies meanwhile.
        consumer = AIOKafkaConsumer(bootstrap_servers=self._servers)
        await consumer.start()
        try:
            ends = await consumer.end_offsets([OtherTopicPartition(*one) for one in self._partitions])
        finally:
            await consumer.stop()
        return {(tp.topic, tp.partition): end for tp, end in ends.items()}

    async def _read(self) -> None:
        messages: list[Any] = await asyncio.to_thread(self._consumer.consume, 2_000, 0.2)
        for number, message in enumerate(messages):
            error = message.error()
            if error is None:
                self._handlers[message.topic()](message)
            elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - the only name it has
                self._end_offsets[message.topic(), message.partition()] = message.offset()
            elif not (error.retriable() or error.code() in TRANSIENT_ERRORS):
                raise RuntimeError(f"can't read: {error}")
            if number % 200 == 0:
                await asyncio.sleep(0)


def _read_headers(message: Any) -> dict[str, str]:
    return {name: value.decode() for name, value in message.headers() or []}


def _read_delivery(message: Any) -> DeliveryRecord:
    timestamp, read_at = message.timestamp()[1], round(time.time() * 1000)
    return DeliveryRecord(message.key(), orjson.loads(message.value()), _read_headers(message), timestamp, read_at)


TRANSIENT_ERRORS = {KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN, KafkaError._TIMED_OUT}  # noqa: SLF001 - the same
"""Expected while brokers are killed."""
