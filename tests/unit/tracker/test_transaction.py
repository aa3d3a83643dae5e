"""A transaction that the client library gives up between two steps fails for the true reason."""

from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import IllegalOperation, KafkaError, ProducerFenced, TopicAuthorizationFailedError
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.producer.transaction_manager import TransactionManager

from bridge.journal.offsets import JournalOffset
from bridge.kafka.records import Record, RecordBatches
from bridge.tracker.transaction import TransactionTarget, commit_transaction

TARGET = TransactionTarget("journal", "state", "group")
RECORD = Record("delivery", 0, b"key", b"value")


class Producer:
    """A producer with the client library's own transaction manager, which fails when the first batch is handed over."""

    def __init__(self, failure: KafkaError, *, fatal: bool) -> None:
        self._failure, self._fatal = failure, fatal
        self._txn_manager = TransactionManager("id", 15_000)
        self._txn_manager.set_pid_and_epoch(1, 0)

    async def begin_transaction(self) -> None:
        """Begin."""
        self._txn_manager.begin_transaction()

    def create_batch(self) -> BatchBuilder:
        """Make a batch."""
        return BatchBuilder(1_000, 0)

    async def send_batch(self, _builder: BatchBuilder, _topic: str, *, partition: int) -> None:
        """Fail as the client library does when its sender has been refused meanwhile."""
        assert partition == 0
        fail = self._txn_manager.fatal_error if self._fatal else self._txn_manager.error_transaction
        fail(self._failure)
        assert not self._txn_manager.is_in_transaction()
        raise IllegalOperation("Can't send messages while not in transaction")


@pytest.mark.parametrize(
    ("failure", "fatal"),
    [(TopicAuthorizationFailedError("delivery"), False), (ProducerFenced(), True)],
    ids=["a missing right", "fenced"],
)
async def test_true_reason_is_raised(failure: KafkaError, fatal: bool) -> None:  # noqa: FBT001
    """The worker's pause before its restart, and what the log says, depend on it."""
    producer: Any = Producer(failure, fatal=fatal)
    batches = RecordBatches(producer)
    batches.add([RECORD])
    with pytest.raises(type(failure)) as raised:
        await commit_transaction(producer, batches, TARGET, TopicPartition("journal", 0), JournalOffset(1, 1, "id"))
    assert (type(raised.value), raised.value.args) == (type(failure), failure.args)
