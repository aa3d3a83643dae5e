"""Consumers: what the client library doesn't report (that fetching ended) and doesn't clean up when stopped."""

from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from bridge.concurrency import stop_with_timeout


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


def check_membership(member: AIOKafkaConsumer) -> None:
    """Check that a member which fetches nothing still takes part in its group.

    Raises:
        KafkaError: It doesn't. The library reports this only when it is asked for records.
    """
    member._coordinator.check_errors()  # noqa: SLF001 - asking for records may wait for a rebalance


async def close_consumer(consumer: AIOKafkaConsumer) -> None:
    """Stop a consumer, without waiting for long, and close all its connections."""
    await stop_with_timeout(consumer.stop(), "consumer")
    # Its stop is cut off by its own fetch where that was about to be tried again, which is so while Kafka is away.
    await stop_with_timeout(consumer._client.close(), "consumer")  # noqa: SLF001
