"""A producer that is given up leaves nothing behind, whatever Kafka is doing."""

import asyncio
import gc

import pytest
from aiokafka import AIOKafkaClient
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from bridge.kafka.abandoning import abandoned
from bridge.kafka.clients import Kafka, Record, send_batches
from bridge.sandbox.broker import Sandbox
from bridge.settings.model import KafkaSettings


def live_clients() -> int:
    """How many of the library's clients still work in the background."""
    return sum(
        isinstance(thing, AIOKafkaClient) and thing._sync_task is not None and not thing._sync_task.done()  # noqa: SLF001
        for thing in gc.get_objects()
    )


@pytest.mark.parametrize("transactional_id", [None, "abandoning"])
async def test_a_producer_is_given_up_while_kafka_is_away(transactional_id: str | None) -> None:
    """With batches on their way that never arrive: it takes seconds at the most, and its tasks and clients are gone."""
    loop, said = asyncio.get_running_loop(), []
    loop.set_exception_handler(lambda _, context: said.append(context))
    try:
        async with Sandbox() as sandbox:
            admin = AIOKafkaAdminClient(bootstrap_servers=sandbox.bootstrap_servers)
            await admin.start()
            await admin.create_topics([NewTopic("some", 2, 1)])
            await admin.close()
            before, clients = asyncio.all_tasks(), live_clients()
            producer = await Kafka(KafkaSettings(bootstrap_servers=(sandbox.bootstrap_servers,))).producer(
                transactional_id
            )
            if transactional_id:
                await producer.begin_transaction()
            await asyncio.gather(*(f for f, _ in await send_batches(producer, [Record("some", 0, b"k", b"v")])))
            await sandbox.brokers[0].stop()
            sent = await send_batches(producer, [Record("some", number, b"k", b"v") for number in (0, 1)])
            started = loop.time()
            await abandoned(producer)
            assert loop.time() - started < 5
            await asyncio.sleep(0)
            assert all(future.done() for future, _ in sent)
            assert not asyncio.all_tasks() - before
            assert live_clients() == clients
            del sent
            gc.collect()
            await asyncio.sleep(0)
    finally:
        loop.set_exception_handler(None)
    assert [context.get("message") for context in said] == []
