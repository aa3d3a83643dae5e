"""How a partition's owner reads its journal: complete batches without needless waiting."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.consumer.fetcher import Fetcher
from aiokafka.errors import KafkaError

from bridge.journal.reader import JournalReader
from bridge.kafka.records import Record, send_batches
from bridge.tracker.quarantine import MAX_ENTRIES
from tests.support.kafka.clients import clients_of, make_topic

PATIENCE = 5_000


class Journal:
    """A topic with one partition, to write and read."""

    def __init__(self, topic: str, producer: AIOKafkaProducer, source: JournalReader) -> None:
        self._topic, self._producer = topic, producer
        self.reader = source
        self._written = 0

    async def write(self, count: int) -> None:
        """Append entries, numbered from 0 over all calls, and wait until they are readable."""
        numbers = range(self._written, self._written + count)
        self._written += count
        records = [Record(self._topic, 0, b"key", str(number).encode()) for number in numbers]
        await asyncio.gather(*(future for future, _ in await send_batches(self._producer, records)))

    async def take(self, patience: int = PATIENCE) -> list[int]:
        """Return the numbers of the next batch."""
        return [int(record.value) for record in await self.reader.take(MAX_ENTRIES, patience)]


@pytest_asyncio.fixture(loop_scope="session")
async def journal(kafka: str, unique: str) -> AsyncIterator[Journal]:
    """An empty one, read from its beginning."""
    clients = clients_of(kafka)
    await make_topic(clients, unique)
    producer: Any = await clients.producer()
    try:
        async with JournalReader.open(clients, TopicPartition(unique, 0)) as source:
            await source.seek(0)
            yield Journal(unique, producer, source)
    finally:
        await producer.stop()


async def test_entries_during_a_transaction_are_one_batch(journal: Journal) -> None:
    """Entries that arrive during a transaction are read together in the next batch."""
    await journal.write(1)
    assert await journal.take() == [0]
    for _ in range(5):  # one after the other, as a fetch under way would see them
        await journal.write(1)
    assert await journal.take() == [1, 2, 3, 4, 5]
    assert journal.reader.count_left(6) == 0


async def test_backlog_is_read_in_bounded_batches(journal: Journal) -> None:
    """In order and without gaps; the remaining number is known from the first batch on."""
    await journal.write(MAX_ENTRIES * 2 + 1)
    await journal.reader.seek(1)
    assert journal.reader.count_left(1) == MAX_ENTRIES * 2
    first = await journal.take()
    assert first == list(range(1, MAX_ENTRIES + 1))
    assert journal.reader.count_left(first[-1] + 1) == MAX_ENTRIES
    assert await journal.take() == list(range(MAX_ENTRIES + 1, 2 * MAX_ENTRIES + 1))
    assert journal.reader.count_left(2 * MAX_ENTRIES + 1) == 0


async def test_empty_journal_times_out(journal: Journal) -> None:
    """The read ends with its timeout, and later entries are returned as soon as they arrive."""
    assert await journal.take(10) == []
    assert journal.reader.count_left(0) == 0
    taking = asyncio.ensure_future(journal.take())
    await journal.write(1)
    assert await taking == [0]


async def test_failed_fetch_is_reported(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the client library's fetch task ends by a fault, the reader raises an error."""

    def fail(*_: object) -> None:
        raise AssertionError

    await journal.write(1)
    assert await journal.take() == [0]
    monkeypatch.setattr(Fetcher, "_get_actions_per_node", fail)
    with pytest.raises(KafkaError, match="stopped fetching"):
        await journal.take(10)
