"""Offsets: where partitions begin and end, and what consumer groups have committed."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import (
    CoordinatorLoadInProgressError,
    CoordinatorNotAvailableError,
    KafkaError,
    KafkaTimeoutError,
    NotCoordinatorError,
)
from aiokafka.structs import OffsetAndMetadata

COORDINATOR_ATTEMPTS = 100
"""Attempts to find a group's coordinator, a tenth of a second apart."""

ANSWER_TIMEOUT = 4.0
"""Seconds to wait for an answer about one partition."""


async def look_up_each(
    look_up: Callable[[list[TopicPartition]], Awaitable[Mapping[TopicPartition, int]]], tps: Iterable[TopicPartition]
) -> dict[TopicPartition, int]:
    """Look up an offset of each partition on its own: there is no answer about one without a leader.

    Args:
        look_up: A consumer's `beginning_offsets` or `end_offsets`.
        tps: The partitions.

    Returns:
        The answers; partitions without one are missing.

    Raises:
        KafkaError: There is no answer about any of them.
    """

    async def ask(tp: TopicPartition) -> int:
        async with asyncio.timeout(ANSWER_TIMEOUT):
            return (await look_up([tp]))[tp]

    tps = list(tps)
    answers = dict(zip(tps, await asyncio.gather(*map(ask, tps), return_exceptions=True), strict=True))
    errors = [answer for answer in answers.values() if isinstance(answer, BaseException)]
    for error in errors:
        if not isinstance(error, KafkaError | TimeoutError):
            raise error
    found = {tp: answer for tp, answer in answers.items() if not isinstance(answer, BaseException)}
    if errors and not found:
        raise errors[0] if isinstance(errors[0], KafkaError) else KafkaTimeoutError(f"no answer about {tps[0].topic}")
    return found


async def fetch_committed_offsets(
    admin: Any, group: str, tps: Sequence[TopicPartition]
) -> dict[TopicPartition, OffsetAndMetadata]:
    """Fetch what a group has committed for these partitions; partitions without a commit are missing.

    Kafka creates its own topic for offsets when a group first asks, and has no coordinator until then; a coordinator
    that still loads refuses to answer. The client library reports a refusal as an answer about no partition at all. So
    "no commit" counts only where the answer says so of that partition, by an offset of -1.

    Raises:
        KafkaError: There is no answer, or no coordinator for long.
    """
    for _ in range(COORDINATOR_ATTEMPTS):
        with suppress(CoordinatorLoadInProgressError, CoordinatorNotAvailableError, NotCoordinatorError):
            found = await admin.list_consumer_group_offsets(group, partitions=list(tps))
            if all(tp in found for tp in tps):
                return {tp: at for tp, at in found.items() if at.offset >= 0}
        await asyncio.sleep(0.1)
    raise CoordinatorNotAvailableError(f"the group {group} has no coordinator")
