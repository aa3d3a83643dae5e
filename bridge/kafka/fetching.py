"""What a consumer has fetched, or that it never will again."""

from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError


async def fetched(
    consumer: AIOKafkaConsumer, *tps: TopicPartition, within: int, most: int | None = None
) -> dict[TopicPartition, list[Any]]:
    """The next records, of these partitions or of all.

    Args:
        consumer: Who reads.
        tps: Its partitions; none means all.
        within: Milliseconds to wait when there are none.
        most: How many at most.

    Raises:
        KafkaError: They can't be read; or the client library's own fetching has ended by a fault of its own, which it
            tells nobody: whoever waited on would wait for ever.
    """
    found: dict[TopicPartition, list[Any]] = await consumer.getmany(*tps, timeout_ms=within, max_records=most)
    ended = consumer._fetcher.error_future  # noqa: SLF001 - nothing public tells
    if not found and ended.done():
        error = None if ended.cancelled() else ended.exception()
        raise KafkaError("the client has stopped fetching") from error
    return found
