"""Work that is tried again for as long as its errors are retriable: the one place that reads an error's policy."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog
from aiokafka.errors import KafkaError

from bridge.core.errors import BridgeError
from bridge.kafka.errors import format_error

T = TypeVar("T")

log = structlog.get_logger(__name__)


def is_retriable(error: BaseException) -> bool:
    """Whether the same may succeed later. Every error of Kafka's may: brokers come back, rights are granted."""
    return isinstance(error, KafkaError | OSError) or (isinstance(error, BridgeError) and error.retriable)


def is_transient(error: KafkaError) -> bool:
    """Whether Kafka's error passes by itself, such as a broker that starts, and not only after somebody acts."""
    return bool(error.retriable)


async def retry(work: Callable[[], Awaitable[T]], *, event: str, pause_seconds: float) -> T:
    """Do the work until it succeeds.

    Args:
        work: What is tried; its result is returned.
        event: The log line of a failure.
        pause_seconds: The time between two attempts.

    Raises:
        Exception: Whatever `work` raises that isn't retriable.
    """
    while True:
        try:
            return await work()
        except Exception as error:
            if not is_retriable(error):
                raise
            log.warning(event, error=format_error(error), retry_in_seconds=pause_seconds)
        await asyncio.sleep(pause_seconds)
