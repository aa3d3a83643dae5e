"""What the client library's producer leaves behind when its transaction fails."""

import asyncio
import gc
from typing import Any

import pytest
from aiokafka.errors import ProducerFenced, TopicAuthorizationFailedError
from aiokafka.producer.transaction_manager import TransactionManager

from bridge.kafka.producers import mend_fatal_errors


@pytest.mark.parametrize("is_abortable_before", [False, True])
async def test_no_error_of_a_transaction_is_logged_as_lost(*, is_abortable_before: bool) -> None:
    """Of several partitions that are fenced, each replaces the error before; who waits for the first one gets it."""
    mend_fatal_errors()
    logged: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: logged.append(context))
    manager = TransactionManager("an-id", 1_000)
    manager.set_pid_and_epoch(1, 1)
    manager.begin_transaction()
    waiter = manager._transaction_waiter  # noqa: SLF001
    if is_abortable_before:
        manager.error_transaction(TopicAuthorizationFailedError("a topic"))
    for _ in range(3):
        manager.fatal_error(ProducerFenced())
    with pytest.raises(TopicAuthorizationFailedError if is_abortable_before else ProducerFenced):
        await waiter
    del manager, waiter
    await asyncio.sleep(0)
    gc.collect()
    await asyncio.sleep(0)
    assert not logged
