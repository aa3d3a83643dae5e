"""Consumers: what the client library doesn't report (that fetching ended) and doesn't clean up when stopped."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from bridge.concurrency import stop_with_timeout

CONFIRM_TIMEOUT, CONFIRM_PAUSE = 5.0, 0.5
"""Seconds to wait for a heartbeat's answer, and between two heartbeats."""


async def fetch(
    consumer: AIOKafkaConsumer, *tps: TopicPartition, timeout_ms: int, max_records: int | None = None
) -> dict[TopicPartition, list[Any]]:
    """Fetch the next records, of these partitions or of all.

    Args:
        consumer: Reads them.
        tps: Its partitions; none means all.
        timeout_ms: How long to wait when there are none.
        max_records: How many at most.

    Raises:
        KafkaError: They can't be read; or the library's own fetching has ended by a fault of its own, which it reports
            to nobody: the caller would wait for ever.
    """
    found: dict[TopicPartition, list[Any]] = await consumer.getmany(
        *tps, timeout_ms=timeout_ms, max_records=max_records
    )
    ended = consumer._fetcher.error_future  # noqa: SLF001 - nothing public tells
    if not found and ended.done():
        error = None if ended.cancelled() else ended.exception()
        raise KafkaError("the client has stopped fetching") from error
    return found


def get_positions(consumer: AIOKafkaConsumer) -> dict[TopicPartition, int]:
    """Return the next offset of each assigned partition that has one yet; markers of transactions take offsets, too.

    The library's own method waits for the others, maybe for ever: why they have none is told to those that fetch.
    """
    subscription = consumer._subscription.subscription  # noqa: SLF001 - see above
    assignment = subscription and subscription.assignment
    states = {tp: assignment.state_value(tp) for tp in assignment.tps} if assignment else {}
    return {tp: state.position for tp, state in states.items() if state.has_valid_position}


def check_membership(member: AIOKafkaConsumer) -> None:
    """Check that a member which fetches nothing still takes part in its group.

    Raises:
        KafkaError: It doesn't. The library reports this only when it is asked for records.
    """
    member._coordinator.check_errors()  # noqa: SLF001 - asking for records may wait for a rebalance


async def confirm_membership(member: AIOKafkaConsumer, progress: Callable[[], None]) -> None:
    """Wait until the group's coordinator confirms that a member still takes part.

    A process that has lost only the coordinator isn't told that its partitions are another's. It must not fence their
    new owner for as long as it doesn't know better.

    Args:
        member: The member. When its partitions are revoked, the caller is expected to be cancelled.
        progress: Called after each attempt.

    Raises:
        KafkaError: The member has no right to its group any more.
    """
    coordinator = member._coordinator  # noqa: SLF001 - nothing public tells
    while True:
        with suppress(TimeoutError):
            async with asyncio.timeout(CONFIRM_TIMEOUT):
                await coordinator.ensure_coordinator_known()
                if coordinator.generation > 0 and await coordinator._do_heartbeat():  # noqa: SLF001 - the same
                    return
        progress()
        await asyncio.sleep(CONFIRM_PAUSE)


async def close_consumer(consumer: AIOKafkaConsumer) -> None:
    """Stop a consumer, without waiting for long, and close all its connections."""
    await stop_with_timeout(consumer.stop(), "consumer")
    # Its stop is cut off by its own fetch where that was about to be tried again, which is so while Kafka is away.
    await stop_with_timeout(consumer._client.close(), "consumer")  # noqa: SLF001
