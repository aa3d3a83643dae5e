"""An independent client reads all that the bridge writes, as a read_committed consumer does, past all wires."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]  # it means to export them

from tests.chaos.ledger import Ledger
from tests.support.waiting import until

READ_WITHIN = 60.0
"""Seconds for the verifier to come to the end."""


class Names(NamedTuple):
    """What a run's topics are called, and the group's prefix."""

    group: str
    sent: str
    delivery: str
    journal: str
    state: str
    dead_letter: str


class Reader:
    """Reads into a ledger.

    Args:
        servers: Kafka.
        names: The topics.
        partitions: How many partitions each has.
        ledger: Is told of every record.
    """

    def __init__(self, servers: str, names: Names, partitions: Mapping[str, int], ledger: Ledger) -> None:
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
        self._tell: Mapping[str, Callable[[Any], None]] = {
            names.delivery: lambda message: ledger.delivery(message.value()),
            names.journal: lambda message: ledger.entry(message.value()),
            names.dead_letter: lambda message: ledger.letter({n: v.decode() for n, v in message.headers()}),
        }
        places = [TopicPartition(name, n, OFFSET_BEGINNING) for name in self._tell for n in range(partitions[name])]
        self._consumer.assign(places)
        self._places = [(place.topic, place.partition) for place in places]
        self._reached: dict[tuple[str, int], int] = {}
        """Where each partition ended when its end was last reached: transaction markers take offsets, too."""
        self._admin = AdminClient({"bootstrap.servers": servers, "log_level": 0})

    async def run(self) -> None:
        """Read until cancelled."""
        try:
            while True:
                await self._read()
        finally:
            await asyncio.to_thread(self._consumer.close)

    async def at_end(self) -> None:
        """Return once everything was read that was there at this call.

        Raises:
            AssertionError: A transaction that nobody ended, or a verifier that can't keep up.
        """
        latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
        found = self._admin.list_offsets({TopicPartition(*place): latest for place in self._places})
        ends = {(place.topic, place.partition): (await asyncio.wrap_future(end)).offset for place, end in found.items()}

        async def reached() -> bool:
            return all(self._reached.get(place, 0) >= end for place, end in ends.items())

        await until(reached, READ_WITHIN, lambda: f"the verifier is at {self._reached}, and the ends are {ends}")

    async def _read(self) -> None:
        found: list[Any] = await asyncio.to_thread(self._consumer.consume, 2_000, 0.2)
        for number, message in enumerate(found):
            error = message.error()
            if error is None:
                self._tell[message.topic()](message)
            elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - it is spelt so
                self._reached[message.topic(), message.partition()] = message.offset()
            elif not (error.retriable() or error.code() in PASSING):
                raise RuntimeError(f"the verifier can't read: {error}")
            if number % 200 == 0:
                await asyncio.sleep(0)


PASSING = {KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN, KafkaError._TIMED_OUT}  # noqa: SLF001 - the same
"""While brokers are away on purpose."""
