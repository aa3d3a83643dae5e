"""A closed client leaves no tasks or connections, whatever the state of Kafka."""

import asyncio
import gc
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import InvalidProducerEpoch, KafkaError, ProducerFenced

from bridge.journal.reader import JournalReader
from bridge.kafka import producers
from bridge.kafka.clients import KafkaClients
from bridge.kafka.producers import abort_producer
from bridge.kafka.records import Record, send_batches
from bridge.sandbox.kafka.broker import Sandbox
from tests.support.kafka.clients import clients_of, make_topic

READERS = 8
"""So many that some of them are about to try again when they are given up."""


def kafka_tasks() -> set[asyncio.Task[Any]]:
    """Return the client library's tasks; other tests' servers use the same loop."""
    codes = ((task, getattr(task.get_coro(), "cr_code", None)) for task in asyncio.all_tasks())
    return {task for task, code in codes if code is not None and "aiokafka" in code.co_filename}


@contextmanager
def listening() -> Iterator[list[str]]:
    """Collect unretrieved Kafka errors that the event loop reports."""
    loop, said = asyncio.get_running_loop(), list[str]()

    def tell(_: object, context: dict[str, Any]) -> None:
        if isinstance(context.get("exception"), KafkaError | KeyError):
            said.append(context["message"])

    loop.set_exception_handler(tell)
    try:
        yield said
        gc.collect()
    finally:
        loop.set_exception_handler(None)


@pytest.mark.parametrize("transactional_id", [None, "abandoning"])
async def test_abort_producer_while_kafka_is_down(transactional_id: str | None) -> None:
    """With batches in flight it takes a few seconds at most, and all tasks and clients end."""
    loop = asyncio.get_running_loop()
    with listening() as said:
        async with Sandbox() as sandbox:
            clients = clients_of(sandbox.bootstrap_servers)
            await make_topic(clients, "some", 2)
            before = kafka_tasks()
            producer = await clients.producer(transactional_id)
            if transactional_id:
                await producer.begin_transaction()
            await asyncio.gather(*(f for f, _ in await send_batches(producer, [Record("some", 0, b"k", b"v")])))
            await sandbox.brokers[0].stop()
            sent = await send_batches(producer, [Record("some", number, b"k", b"v") for number in (0, 1)])
            assert kafka_tasks() - before
            # The waiters are gone, so that no code retrieves the results of the batches.
            waiting = asyncio.gather(*(future for future, _ in sent))
            waiting.cancel()
            with suppress(asyncio.CancelledError):
                await waiting
            started = loop.time()
            await abort_producer(producer)
            assert loop.time() - started < 5
            await asyncio.sleep(0)
            assert all(future.done() for future, _ in sent)
            assert not kafka_tasks() - before
            del sent, waiting, producer
    assert said == []


async def test_abort_fenced_producer(kafka: str, unique: str) -> None:
    """Only the waiting callers get the error."""
    clients = clients_of(kafka)
    await make_topic(clients, unique)
    with listening() as said:
        older = await clients.producer(unique)
        await older.begin_transaction()
        newer = await clients.producer(unique)
        sent = await send_batches(older, [Record(unique, 0, b"k", b"v")])
        with pytest.raises((ProducerFenced, InvalidProducerEpoch)):
            await asyncio.gather(*(future for future, _ in sent))
        await abort_producer(older)
        await abort_producer(newer)
        del sent, older, newer
    assert said == []


async def test_a_sender_that_ends_late_is_no_news(kafka: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that looks for its coordinator while brokers are away may fail long after its producer was given up."""
    monkeypatch.setattr(producers, "SENDER_STOP_ATTEMPTS", 0)
    given_up = asyncio.Event()

    async def stubborn() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await given_up.wait()
            raise KafkaError("no coordinator") from None

    with listening() as said:
        producer = await clients_of(kafka).producer()
        sender = producer._sender  # noqa: SLF001 - its task is what the test is about
        await sender.close()
        task = sender._sender_task = asyncio.create_task(stubborn())  # noqa: SLF001
        await asyncio.sleep(0)
        await abort_producer(producer)
        given_up.set()
        await asyncio.wait([task])
        del task, sender, producer
    assert said == []


async def test_close_consumer_while_kafka_is_down() -> None:
    """The original error is raised, and all tasks and clients end."""

    async def read(clients: KafkaClients, begun: asyncio.Barrier, away: asyncio.Event) -> None:
        async with JournalReader.open(clients, TopicPartition("some", 0)) as inlet:
            await inlet.seek(0)
            await begun.wait()
            await away.wait()
            assert not await inlet.take(1, 1_000)
            raise KafkaError("the commit failed")

    async with Sandbox() as sandbox:
        clients = clients_of(sandbox.bootstrap_servers)
        await make_topic(clients, "some")
        before = kafka_tasks()
        begun, away = asyncio.Barrier(READERS + 1), asyncio.Event()
        readers = [asyncio.create_task(read(clients, begun, away)) for _ in range(READERS)]
        await begun.wait()
        await sandbox.brokers[0].stop()
        away.set()
        await asyncio.wait(readers)
        ends = ["cancelled" if one.cancelled() else str(one.exception()) for one in readers]
        assert all("the commit failed" in end for end in ends), ends
        await asyncio.sleep(0)
        assert not kafka_tasks() - before
