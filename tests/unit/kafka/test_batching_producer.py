"""Batches depart together, a slow partition holds up no other, and every caller learns what became of its records."""

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.producer.message_accumulator import BatchBuilder

from bridge.core.errors import KafkaUnavailableError
from bridge.kafka import batching_producer, departures
from bridge.kafka.batching_producer import BatchingProducer
from bridge.kafka.records import Record

BATCH_BYTES = 1_000


class HeldProducer:
    """A producer that hands out batches, and holds back their acknowledgements until the test gives them."""

    def __init__(self) -> None:
        self.sent: list[tuple[int, BatchBuilder, asyncio.Future[None]]] = []
        """Partition, batch and acknowledgement, in the order of sending."""
        self.waits = False

    def create_batch(self) -> BatchBuilder:
        """Make a batch."""
        return BatchBuilder(BATCH_BYTES, 0)

    async def send_batch(self, batch: BatchBuilder, _topic: str, *, partition: int) -> asyncio.Future[None]:
        """Take a batch, when the partition's one before is acknowledged if it waits for that."""
        if self.waits:
            await asyncio.gather(*(before for number, _, before in self.sent if number == partition))
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.sent.append((partition, batch, future))
        return future

    def list_sent(self) -> list[tuple[int, int]]:
        """List the partition and the number of records of each batch."""
        return [(partition, batch.record_count()) for partition, batch, _ in self.sent]

    def acknowledge(self, *batches: int) -> None:
        """Acknowledge batches, by their place in the order of sending."""
        for batch in batches:
            self.sent[batch][2].set_result(None)


class Clients:
    """The cluster: each producer is new."""

    def __init__(self) -> None:
        self.made: list[HeldProducer] = []

    async def producer(self) -> Any:
        """Make a producer."""
        self.made.append(HeldProducer())
        return self.made[-1]


@pytest.fixture
async def clients(monkeypatch: pytest.MonkeyPatch) -> Clients:
    """A cluster; a producer that is given up is forgotten."""

    async def forget(_producer: object) -> None:
        pass

    monkeypatch.setattr(batching_producer, "abort_producer", forget)
    return Clients()


@pytest.fixture
async def writer(clients: Clients) -> AsyncIterator[BatchingProducer]:
    """A writer that has started."""
    writer = BatchingProducer(clients)  # type: ignore[arg-type]  # what it needs of the cluster
    await writer.start()
    yield writer
    await writer.stop(0.0)


def record(partition: int, size: int = 10) -> Record:
    """Make a record."""
    return Record("topic", partition, b"key", b"x" * size)


async def depart(writer: BatchingProducer) -> None:
    """Let what is queued depart, as the timer would."""
    writer._depart()  # noqa: SLF001 - in place of waiting
    for _ in range(5):
        await asyncio.sleep(0)


async def test_all_partitions_depart_together(writer: BatchingProducer, clients: Clients) -> None:
    """Each has one batch, and a caller is told when all of its own records are there."""
    first = writer.append([record(0), record(1)])
    second = writer.append([record(1)])
    await depart(writer)
    [producer] = clients.made
    assert sorted(producer.list_sent()) == [(0, 1), (1, 2)]
    partitions = [partition for partition, *_ in producer.sent]
    producer.acknowledge(partitions.index(1))
    await second
    assert not first.done()
    producer.acknowledge(partitions.index(0))
    await first
    assert writer.ready


async def test_slow_partition_holds_up_no_other(writer: BatchingProducer, clients: Clients) -> None:
    """What comes for it meanwhile gathers, and departs as one batch when it is acknowledged."""
    slow = [writer.append([record(0)])]
    await depart(writer)
    slow += [writer.append([record(0)]) for _ in range(3)]
    quick = writer.append([record(1)])
    await depart(writer)
    [producer] = clients.made
    assert producer.list_sent() == [(0, 1), (1, 1)]
    producer.acknowledge(1)
    await quick
    assert not any(future.done() for future in slow)
    producer.acknowledge(0)
    await slow[0]
    await asyncio.sleep(0)
    assert producer.list_sent() == [(0, 1), (1, 1), (0, 3)]
    producer.acknowledge(2)
    await asyncio.gather(*slow)


async def test_large_call_takes_several_batches(writer: BatchingProducer, clients: Clients) -> None:
    """It is done when the last one is; nothing of its partition departs before."""
    call = writer.append([record(0, BATCH_BYTES // 2) for _ in range(3)])
    await depart(writer)
    later = writer.append([record(0)])
    [producer] = clients.made
    assert producer.list_sent() == [(0, 1)] * 3
    producer.acknowledge(0, 1)
    await asyncio.sleep(0)
    await depart(writer)
    assert not call.done()
    assert len(producer.sent) == 3
    producer.acknowledge(2)
    await call
    await asyncio.sleep(0)
    producer.acknowledge(3)
    await later


async def test_long_queue_of_a_slow_partition_holds_up_no_other(writer: BatchingProducer, clients: Clients) -> None:
    """Its second batch waits for its first one, and nothing else does."""
    [producer] = clients.made
    producer.waits = True
    slow = writer.append([record(0, BATCH_BYTES // 2) for _ in range(3)])
    quick = writer.append([record(1)])
    await depart(writer)
    await asyncio.sleep(0)
    assert sorted(producer.list_sent()) == [(0, 1), (1, 1)]
    for _ in range(2):
        producer.acknowledge(max(place for place, sent in enumerate(producer.list_sent()) if sent == (1, 1)))
        await quick
        quick = writer.append([record(1)])
        await depart(writer)
    assert not slow.done()
    while not (slow.done() and quick.done()):
        for _, _, future in producer.sent:
            if not future.done():
                future.set_result(None)
        await asyncio.sleep(0)
    assert sorted(producer.list_sent()) == [(0, 1)] * 3 + [(1, 1)] * 3


async def test_batches_are_settled_while_others_wait_to_be_sent(writer: BatchingProducer, clients: Clients) -> None:
    """A partition's second batch may wait for long, and nobody waits for it whose records are there."""
    [producer] = clients.made
    producer.waits = True
    calls = [writer.append([record(0, BATCH_BYTES // 2)]) for _ in range(3)]
    await depart(writer)
    for number, call in enumerate(calls):
        assert len(producer.sent) == number + 1
        producer.acknowledge(number)
        await call
        await depart(writer)


async def test_stuck_partition_takes_no_more(
    writer: BatchingProducer, clients: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It refuses at once, with all else that is appended with it; the others go on, and Kafka isn't away.

    One line says so, and one that it is over.
    """
    logged: list[str] = []
    log = SimpleNamespace(
        error=lambda event, **_: logged.append(event), warning=lambda event, **_: logged.append(event)
    )
    monkeypatch.setattr(batching_producer, "log", log)
    monkeypatch.setattr(departures, "STUCK_SECONDS", 0.01)
    [producer] = clients.made
    known = writer.append([record(1)])
    await depart(writer)
    producer.acknowledge(0)
    await known
    waiting = writer.append([record(0)])
    await depart(writer)
    await asyncio.sleep(0.02)
    for _ in range(2):
        with pytest.raises(KafkaUnavailableError, match="partition 0 of topic"):
            await writer.append([record(1), record(0)])
    other = writer.append([record(1)])
    await depart(writer)
    assert producer.list_sent() == [(1, 1), (0, 1), (1, 1)]
    producer.acknowledge(2)
    await other
    assert writer.ready
    producer.acknowledge(1)
    await waiting
    assert not writer.append([record(0)]).done()
    assert logged == [
        "partition acknowledges nothing; refusing its records",
        "partition acknowledges records again",
    ]


async def test_failed_batch_costs_its_producer(writer: BatchingProducer, clients: Clients) -> None:
    """Its callers are told, and what waited departs with a new producer."""
    failing = writer.append([record(0)])
    await depart(writer)
    waiting = writer.append([record(0)])
    [producer] = clients.made
    producer.sent[0][2].set_exception(OSError("gone"))
    with pytest.raises(KafkaUnavailableError, match="gone"):
        await failing
    for _ in range(3):
        await asyncio.sleep(0)
    assert [len(made.sent) for made in clients.made] == [1, 1]
    clients.made[1].acknowledge(0)
    await waiting


async def test_stop_leaves_nobody_waiting(writer: BatchingProducer) -> None:
    """Neither for what is under way, nor for what waits."""
    under_way = writer.append([record(0)])
    await depart(writer)
    queued = writer.append([record(0)])
    await writer.stop(0.01)
    for future in (under_way, queued):
        with pytest.raises(KafkaUnavailableError):
            await future


async def test_append_of_nothing_is_done(writer: BatchingProducer, clients: Clients) -> None:
    """Nothing departs for it."""
    assert writer.append([]).done()
    await depart(writer)
    assert clients.made[0].sent == []


async def test_records_are_settled_once(clients: Clients, writer: BatchingProducer) -> None:
    """The caller is told when nothing of its records waits for Kafka, even if it has ended the future itself."""
    settled: list[str] = []
    acknowledged = writer.append([record(0), record(1)], lambda: settled.append("acknowledged"))
    acknowledged.set_exception(TimeoutError())
    acknowledged.exception()
    await depart(writer)
    clients.made[0].acknowledge(0)
    await asyncio.sleep(0)
    assert settled == []
    clients.made[0].acknowledge(1)
    await asyncio.sleep(0)
    assert settled == ["acknowledged"]
    failed = writer.append([record(0), record(1)], lambda: settled.append("failed"))
    await depart(writer)
    clients.made[0].sent[2][2].set_exception(OSError("gone"))
    with pytest.raises(KafkaUnavailableError):
        await failed
    assert settled == ["acknowledged"]  # one record is still under way
    clients.made[0].acknowledge(3)
    await asyncio.sleep(0)
    assert settled == ["acknowledged", "failed"]
    assert writer.append([], lambda: settled.append("nothing")).done()
    assert settled == ["acknowledged", "failed", "nothing"]
