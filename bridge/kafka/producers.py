"""Letting a producer go without waiting for what it holds, for which the client library has nothing public.

A producer's own `stop` flushes first, which may never end, and when that is cut off, leaves its tasks and its sockets
behind. Whoever abandons one doesn't want to know what became of its batches: its successor finds out.
"""

import asyncio
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import ProducerClosed

from bridge.concurrency import retrieve_exception, stop_with_timeout

TRIES = 30
"""Tenths of a second for requests under way to notice that their connections are gone."""


async def abort_producer(producer: AIOKafkaProducer) -> None:
    """Close a producer's connections, end its tasks, fail its batches."""
    producer._closed = True  # noqa: SLF001
    client, sender = producer.client, producer._sender  # noqa: SLF001
    task: asyncio.Task[Any] | None = sender.sender_task
    if task is not None:
        # It would fail a transaction that nobody waits for any more.
        task.remove_done_callback(sender._fail_all)  # noqa: SLF001
        task.add_done_callback(retrieve_exception)  # however late it ends, nobody asks
        task.cancel()
    await stop_with_timeout(client.close(), "producer")
    if task is not None:
        await _ended(task, client)
        await stop_with_timeout(client.close(), "producer")  # again: what was under way may have connected anew
    # Only now: a request under way puts its batches back, and must find them where they were; and each batch, when it
    # fails, looks for itself among those that are under way.
    accumulator = producer._message_accumulator  # noqa: SLF001
    for batches in accumulator._batches.values():  # noqa: SLF001
        accumulator._pending_batches.update(batches)  # noqa: SLF001
    given_up = tuple(accumulator._pending_batches)  # noqa: SLF001
    accumulator.fail_all(ProducerClosed())
    # Whoever waited for one of these was cut off, or is told by its own future.
    left = [future for batch in given_up for future in (batch.future, batch._drain_waiter)]  # noqa: SLF001
    if producer._txn_manager is not None:  # noqa: SLF001
        left.append(producer._txn_manager._transaction_waiter)  # noqa: SLF001
    for future in left:
        if future is not None and future.done():
            retrieve_exception(future)


async def _ended(task: asyncio.Task[Any], client: Any) -> None:
    for _ in range(TRIES):
        done, _ = await asyncio.wait([task], timeout=0.1)
        if done:
            break
        # A closed client learns nothing of the cluster any more; nobody shall wait for it to.
        news = client._md_update_fut  # noqa: SLF001
        if news is not None and not news.done():
            news.set_result(False)
