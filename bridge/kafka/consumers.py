"""What the client library's consumers keep to themselves: that they ended, and what they leave behind when stopped."""

from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from bridge.concurrency import stop_with_timeout


async def fetch(
    consumer: AIOKafkaConsumer, *tps: TopicPartition, within: int, most: int | None = None
) -> dict[TopicPartition, list[Any]]:
    """The next records, of these partitions or of all.

    Args:
        consumer: Who reads.
        tps: Its partitions; none means all.
        within: Milliseconds to wait when there are none.
        most: How many at most.

    Raises:
        KafkaError: They can't be read; or the library's own fetching has ended by a fault of its own, which it tells
            nobody: whoever waited on would wait for ever.
    """
    found: dict[TopicPartition, list[Any]] = await consumer.getmany(*tps, timeout_ms=within, max_records=most)
    ended = consumer._fetcher.error_future  # noqa: SLF001 - nothing public tells
    if not found and ended.done():
        error = None if ended.cancelled() else ended.exception()
        raise KafkaError("the client has stopped fetching") from error
    return found


def check_membership(member: AIOKafkaConsumer) -> None:
    """See that a member which fetches nothing still takes part in its group.

    Raises:
        KafkaError: It doesn't: the library tells of that when it is asked for records, and waits until then.
    """
    member._coordinator.check_errors()  # noqa: SLF001 - asking for records may wait for a rebalance


async def close_consumer(consumer: AIOKafkaConsumer) -> None:
    """Stop a consumer, not waiting for long, and let go of all that it holds."""
    await stop_with_timeout(consumer.stop(), "consumer")
    # Its stop is cut off by its own fetch where that was about to be tried again, which is so while Kafka is away.
    await stop_with_timeout(consumer._client.close(), "consumer")  # noqa: SLF001
