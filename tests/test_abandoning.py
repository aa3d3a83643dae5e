"""A producer that is given up leaves nothing behind, whatever Kafka is doing."""

import asyncio
import gc
from contextlib import suppress
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError

from bridge.kafka.abandoning import abandoned
from bridge.kafka.clients import Kafka, Record, send_batches
from bridge.sandbox.broker import Sandbox
from bridge.settings.model import KafkaSettings


def kafka_tasks() -> set[asyncio.Task[Any]]:
    """The client library's tasks; other tests' servers have theirs in the same loop."""
    codes = ((task, getattr(task.get_coro(), "cr_code", None)) for task in asyncio.all_tasks())
    return {task for task, code in codes if code is not None and "aiokafka" in code.co_filename}


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
            before = kafka_tasks()
            producer = await Kafka(KafkaSettings(bootstrap_servers=(sandbox.bootstrap_servers,))).producer(
                transactional_id
            )
            if transactional_id:
                await producer.begin_transaction()
            await asyncio.gather(*(f for f, _ in await send_batches(producer, [Record("some", 0, b"k", b"v")])))
            await sandbox.brokers[0].stop()
            sent = await send_batches(producer, [Record("some", number, b"k", b"v") for number in (0, 1)])
            assert kafka_tasks() - before
            # Whoever waited is cut off, so that nobody asks what became of the batches.
            waiting = asyncio.gather(*(future for future, _ in sent))
            waiting.cancel()
            with suppress(asyncio.CancelledError):
                await waiting
            started = loop.time()
            await abandoned(producer)
            assert loop.time() - started < 5
            await asyncio.sleep(0)
            assert all(future.done() for future, _ in sent)
            assert not kafka_tasks() - before
            del sent
            gc.collect()
            await asyncio.sleep(0)
    finally:
        loop.set_exception_handler(None)
    assert [context["message"] for context in said if isinstance(context.get("exception"), KafkaError | KeyError)] == []
