"""Commits one Kafka transaction: events, states, dead letters and the journal's offset, all or nothing."""

import asyncio
from collections.abc import Iterable
from typing import NamedTuple

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import IllegalOperation, KafkaError
from aiokafka.structs import OffsetAndMetadata

from bridge.journal.offsets import JournalOffset
from bridge.kafka.producers import find_failure, give_up_transaction
from bridge.kafka.records import Record, RecordBatches
from bridge.state.keys import StateChange

COMMIT_TIMEOUT = 12.0
"""Seconds; less than the broker's time-out of the transaction, so that this process gives up first."""


class TransactionTarget(NamedTuple):
    """The topics and the group of every transaction."""

    journal: str
    """The topic whose offset is committed."""
    state: str
    """The topic that holds the states."""
    group: str
    """The consumer group whose offset is committed."""


async def commit_transaction(
    producer: AIOKafkaProducer,
    batches: RecordBatches,
    target: TransactionTarget,
    tp: TopicPartition,
    committed: JournalOffset,
) -> int | None:
    """Write these batches and commit the journal's offset, all or nothing.

    Returns:
        The offset after the last record written to the state topic; None if none was written.

    Raises:
        KafkaError: The transaction may not be committed. A new producer has to settle it.
        TimeoutError: The same.
    """
    try:
        async with asyncio.timeout(COMMIT_TIMEOUT):
            # Step 1. Begin.
            await producer.begin_transaction()

            # Step 2. Hand over every batch.
            pending = [handed async for handed in batches.send()]

            # Step 3. See every batch acknowledged: a commit would go through without one that failed.
            await asyncio.gather(*(batch.future for _, batch in pending))
            states = [batch for (topic, _), batch in pending if topic == target.state]

            # Step 4. The journal's offset joins the transaction: not before, because a broker that still verifies the
            # batches answers it in a way that the client library doesn't expect.
            offset = OffsetAndMetadata(committed.offset, committed.metadata)
            await producer.send_offsets_to_transaction({tp: offset}, target.group)

            # Step 5. Commit.
            await producer.commit_transaction()
    except IllegalOperation as error:
        # The client library has given the transaction up between two steps, and says so without the reason.
        give_up_transaction(producer)
        raise find_failure(producer) or KafkaError(str(error)) from error
    except BaseException:
        give_up_transaction(producer)
        raise
    return max((batch.future.result().offset + batch.records for batch in states), default=None)


def make_state_records(changes: Iterable[StateChange], topic: str, partition: int) -> list[Record]:
    """Make the records of changed states; a forgotten attempt gets a tombstone."""
    return [
        Record(topic, partition, change.key.encode(), None if change.after is None else change.encoded)
        for change in changes
    ]
