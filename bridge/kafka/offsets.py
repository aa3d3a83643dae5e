"""What consumer groups have committed."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import CoordinatorLoadInProgressError, CoordinatorNotAvailableError, NotCoordinatorError
from aiokafka.structs import OffsetAndMetadata

COORDINATOR_ATTEMPTS = 100
"""Attempts to find a group's coordinator, a tenth of a second apart."""


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
