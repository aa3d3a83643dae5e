"""Originals of dead letters are read again from a real topic."""

from typing import Any

import pytest
from aiokafka import TopicPartition
from prometheus_client import Counter

from bridge.core.delivery import Status
from bridge.core.errors import DeadLetterReason
from bridge.core.lifecycle import Rejection
from bridge.dead_letters import DeadLetters
from bridge.journal.serde import encode_entry
from bridge.kafka.clients import KafkaClients
from bridge.kafka.records import Record, send_batches
from bridge.privacy import Privacy
from bridge.settings.model import PrivacySettings
from bridge.tracker import source_reader
from bridge.tracker.batch import PendingDeadLetter
from bridge.tracker.dead_letter_records import DeadLetterRecords
from bridge.tracker.source_reader import SourceReader
from tests.support.core.story import report
from tests.support.kafka.clients import clients_of, make_topic

RECORDS = 500


class CountingClients:
    """Counts the consumers that a reader makes."""

    def __init__(self, clients: KafkaClients) -> None:
        self._clients = clients
        self.made = 0

    async def reader(self, **options: Any) -> Any:
        """Make a consumer."""
        self.made += 1
        return await self._clients.reader(**options)


async def write_records(clients: KafkaClients, topic: str) -> None:
    """Write `RECORDS` records, whose values are their offsets, to a new topic's only partition."""
    await make_topic(clients, topic, 1)
    producer = await clients.producer()
    try:
        for future, _ in await send_batches(producer, [Record(topic, 0, None, b"%d" % at) for at in range(RECORDS)]):
            await future
    finally:
        await producer.stop()


async def test_records_are_found_by_their_offsets(kafka: str, unique: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Near and far offsets are found, in any order, by one kept consumer; what doesn't exist is missing."""
    monkeypatch.setattr(source_reader, "BUDGET_SECONDS", 30.0)  # a busy machine may need longer
    monkeypatch.setattr(source_reader, "HANG_SECONDS", 60.0)
    clients = clients_of(kafka)
    await write_records(clients, unique)
    counting, tp = CountingClients(clients), TopicPartition(unique, 0)
    reader = SourceReader(counting)  # type: ignore[arg-type]
    try:
        for offsets in ([3], [499, 0, 1], [250, RECORDS, RECORDS + 7], range(0, RECORDS, 3)):
            found = await reader.read(tp, offsets)
            assert {at: record.value for at, record in found.items()} == {
                at: b"%d" % at for at in offsets if at < RECORDS
            }
    finally:
        await reader.close()
    assert counting.made == 1


async def test_partition_that_cannot_be_read_is_avoided(kafka: str, unique: str) -> None:
    """A topic that doesn't exist costs one attempt; another topic is still read."""
    clients = clients_of(kafka)
    await write_records(clients, unique)
    counting, missing = CountingClients(clients), TopicPartition(f"{unique}.missing", 0)
    reader = SourceReader(counting)  # type: ignore[arg-type]
    try:
        for _ in range(5):
            assert await reader.read(missing, [1]) == {}
        assert counting.made == 1
    finally:
        await reader.close()


async def test_reading_ends_with_the_budget(kafka: str, unique: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What isn't read within the time limit is missing, and raises nothing."""
    monkeypatch.setattr(source_reader, "BUDGET_SECONDS", 0.0)
    clients = clients_of(kafka)
    await write_records(clients, unique)
    reader = SourceReader(clients)
    try:
        assert await reader.read(TopicPartition(unique, 0), range(RECORDS)) == {}
    finally:
        await reader.close()


async def test_long_raw_text_is_read_from_the_journal(kafka: str, unique: str) -> None:
    """A parked report without its raw text gets a dead letter with the raw text of its journal entry."""
    clients = clients_of(kafka)
    await make_topic(clients, unique, 1)
    producer = await clients.producer()
    value = encode_entry(report(Status.SENT, raw="the words"))
    try:
        for future, _ in await send_batches(
            producer, [Record(unique, 0, None, value), Record(unique, 0, None, b"odd")]
        ):
            await future
    finally:
        await producer.stop()
    reader, journal = SourceReader(clients), TopicPartition(unique, 0)
    counter = Counter("dead_letters", "Dead letters", ["reason"], registry=None)
    letters = DeadLetters("dead", 1, 2**20, Privacy(PrivacySettings()), counter)
    try:
        records = await DeadLetterRecords(reader, letters).make(
            journal,
            [
                PendingDeadLetter(Rejection(DeadLetterReason.UNMATCHED, "late", offset), "dexatel:default", None)
                for offset in (0, 1, 2)
            ],
        )
    finally:
        await reader.close()
    assert [record.value for record in records] == [b"the words", b"odd", b""]


async def test_a_record_with_several_attempts_is_not_copied_for_each(kafka: str, unique: str) -> None:
    """Its dead letters hold the journal's entries; one that is alone holds the original."""
    clients = clients_of(kafka)
    await write_records(clients, unique)
    reader, journal = SourceReader(clients), TopicPartition(f"{unique}.journal", 0)
    counter = Counter("dead_letters", "Dead letters", ["reason"], registry=None)
    letters = DeadLetters("dead", 1, 2**20, Privacy(PrivacySettings()), counter)
    try:
        records = await DeadLetterRecords(reader, letters).make(
            journal,
            [
                PendingDeadLetter(
                    Rejection(DeadLetterReason.TOO_OLD, "over", at), "dexatel:default", b"entry-%d" % at, source
                )
                for at, source in enumerate([(unique, 0, 7), (unique, 0, 7), (unique, 0, 9)])
            ],
        )
    finally:
        await reader.close()
    assert [record.value for record in records] == [b"entry-0", b"entry-1", b"9"]
    headers = [{name: text.decode() for name, text in record.headers} for record in records]
    assert [one["source_offset"] for one in headers] == ["7", "7", "9"]
    assert [one["error"] for one in headers] == [*["over; the original was not read again"] * 2, "over"]
