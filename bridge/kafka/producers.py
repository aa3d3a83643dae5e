"""Closing a producer without waiting for what it still holds, for which the client library has nothing public.

A producer's own `stop` flushes first, which may never end; cut off, it leaves tasks and sockets behind. A producer is
only aborted when nobody needs to know what became of its batches: its successor finds out.
"""

import asyncio
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, ProducerClosed
from aiokafka.producer import sender
from aiokafka.producer.transaction_manager import TransactionManager

from bridge.concurrency import retrieve_exception, stop_with_timeout

SENDER_STOP_ATTEMPTS = 30
"""Tenths of a second for requests under way to notice that their connections are closed."""

RETRY_AFTER_COMMIT_SECONDS = 0.005
"""Before a transaction's first request is tried again, because the broker still completes the transaction before. That
takes a few milliseconds, and most transactions that follow one another meet it."""

_fail = TransactionManager.fatal_error


def retry_soon_after_commits() -> None:
    """Change the client library, for the whole process: it waits for 20 ms, longer than a small transaction takes."""
    sender.BACKOFF_OVERRIDE = RETRY_AFTER_COMMIT_SECONDS


def mend_fatal_errors() -> None:
    """Change the client library, for the whole process: it replaces a transaction's error by each later one.

    Nobody waits for those, and asyncio would log them as never retrieved.
    """
    TransactionManager.fatal_error = _fail_quietly


def _fail_quietly(manager: TransactionManager, error: BaseException) -> None:
    before = manager._transaction_waiter  # noqa: SLF001
    _fail(manager, error)
    for waiter in (before, manager._transaction_waiter):  # noqa: SLF001
        if waiter is not None:
            waiter.add_done_callback(retrieve_exception)


def give_up_transaction(producer: AIOKafkaProducer) -> None:
    """Note that nobody waits any more for this producer's transaction: what is under way of it may fail later."""
    manager = producer._txn_manager  # noqa: SLF001
    offsets = (future for *_, future in manager._pending_txn_offsets)  # noqa: SLF001
    for future in (manager._transaction_waiter, *offsets):  # noqa: SLF001
        if future is not None:
            future.add_done_callback(retrieve_exception)


def find_failure(producer: AIOKafkaProducer) -> KafkaError | None:
    """Find why the client library has given up the producer's transaction; None if it hasn't, or nobody told why."""
    waiter: asyncio.Future[Any] | None = producer._txn_manager._transaction_waiter  # noqa: SLF001
    error = waiter.exception() if waiter is not None and waiter.done() and not waiter.cancelled() else None
    # A new one: raised again, the producer's own would keep the frames that hold the producer.
    return type(error)(*error.args) if isinstance(error, KafkaError) else None


async def abort_producer(producer: AIOKafkaProducer) -> None:
    """Close a producer's connections, end its tasks, fail its batches."""
    producer._closed = True  # noqa: SLF001
    client, sender = producer.client, producer._sender  # noqa: SLF001
    task: asyncio.Task[Any] | None = sender.sender_task
    if task is not None:
        # The callback would fail a transaction that nobody waits for any more.
        task.remove_done_callback(sender._fail_all)  # noqa: SLF001
        task.add_done_callback(retrieve_exception)
        task.cancel()
    await stop_with_timeout(client.close(), "producer")
    if task is not None:
        await _wait_for_sender(task, client)
        await stop_with_timeout(client.close(), "producer")  # again: requests under way may have reconnected
    _fail_batches(producer)


async def _wait_for_sender(task: asyncio.Task[Any], client: Any) -> None:
    for _ in range(SENDER_STOP_ATTEMPTS):
        done, _ = await asyncio.wait([task], timeout=0.1)
        if done:
            break
        # A closed client gets no metadata any more, so that nothing may wait for it.
        metadata_update = client._md_update_fut  # noqa: SLF001
        if metadata_update is not None and not metadata_update.done():
            metadata_update.set_result(False)


def _fail_batches(producer: AIOKafkaProducer) -> None:
    """Fail what was not sent, now that the sender has ended.

    Not earlier: a request under way puts its batches back, and must find them where they were; and each batch, when it
    fails, looks for itself among those that are under way.
    """
    accumulator = producer._message_accumulator  # noqa: SLF001
    for batches in accumulator._batches.values():  # noqa: SLF001
        accumulator._pending_batches.update(batches)  # noqa: SLF001
    failed = tuple(accumulator._pending_batches)  # noqa: SLF001
    accumulator.fail_all(ProducerClosed())
    futures = [future for batch in failed for future in (batch.future, batch._drain_waiter)]  # noqa: SLF001
    if producer._txn_manager is not None:  # noqa: SLF001
        futures.append(producer._txn_manager._transaction_waiter)  # noqa: SLF001
    for future in futures:
        if future is not None and future.done():
            retrieve_exception(future)
