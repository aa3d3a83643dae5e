"""Writes batches of records byte for byte, as clients may that are less strict than the ones used here."""

from collections.abc import Sequence
from typing import NamedTuple, Self

from aiokafka import TopicPartition
from aiokafka.errors import for_code
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy

from tests.support.kafka.clients import clients_of

MAX_BATCH_BYTES = 1_000_000


class RawRecord(NamedTuple):
    """A record whose header names are bytes."""

    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[bytes, bytes | None]] = ()


class _RawName(str):
    """A header's name that is encoded as given bytes."""

    __slots__ = ("raw",)
    raw: bytes

    @classmethod
    def make(cls, raw: bytes) -> Self:
        made = cls(raw.decode("latin-1"))
        made.raw = raw
        return made

    def encode(self, *_: object) -> bytes:
        return self.raw


async def write_raw(
    bootstrap_servers: str, topic: str, records: Sequence[RawRecord], *, partition: int = 0, compression: int = 0
) -> None:
    """Write records as one batch; `compression` is Kafka's number of the codec.

    Raises:
        KafkaError: The broker refuses them.
    """
    options = {"is_transactional": 0, "producer_id": -1, "producer_epoch": -1, "base_sequence": -1}
    builder = _DefaultRecordBatchBuilderPy(2, compression, **options, batch_size=MAX_BATCH_BYTES)
    for number, (key, value, headers) in enumerate(records):
        names = [(_RawName.make(name), content) for name, content in headers]
        builder.append(number, None, key, value, names)
    producer = await clients_of(bootstrap_servers).producer()
    try:
        await producer.partitions_for(topic)
        leader = producer.client.cluster.leader_for_partition(TopicPartition(topic, partition))
        request = ProduceRequest(None, -1, 5_000, [(topic, [(partition, bytes(builder.build()))])])
        response = await producer.client.send(leader, request)
        code = response.topics[0][1][0][1]
        if code:
            raise for_code(code)
    finally:
        await producer.stop()
