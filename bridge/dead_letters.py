"""What a dead letter looks like: the original bytes, and headers that say where they came from and what is wrong."""

from collections.abc import Mapping

from bridge.core.delivery import format_rfc3339
from bridge.core.errors import DeadLetterReason
from bridge.kafka.partitioner import partition_for
from bridge.kafka.records import Header, Record
from bridge.privacy import Privacy

LONGEST_ERROR = 500
"""Characters of an error that are kept."""

_ROOM = 4 * 1024
"""Bytes that a record's frame may take besides its value."""


class DeadLetters:
    """Makes the records of the dead letter topic.

    Args:
        topic: Its name.
        partitions: How many partitions it has.
        largest: Bytes that it takes for a record.
        privacy: What may be kept of phone numbers.
    """

    def __init__(self, topic: str, partitions: int, largest: int, privacy: Privacy) -> None:
        self._topic, self._partitions, self._largest = topic, partitions, largest
        self._privacy = privacy

    def record(
        self,
        reason: DeadLetterReason,
        error: str,
        *,
        key: bytes | None,
        value: bytes | None,
        origin: Mapping[str, str | int | None],
        received_at: int,
    ) -> Record:
        """A dead letter.

        Args:
            reason: Why, out of the closed set.
            error: Why, for a person.
            key: The original's key.
            value: The original's bytes; phone numbers in them are kept or not as settings say.
            origin: Headers that tell where it came from; absent values are left out.
            received_at: When, in milliseconds since the epoch.
        """
        key, value = self._privacy.original(key, value)
        error = self._privacy.told(error)[:LONGEST_ERROR]
        told = {"reason": reason.value, "error": error, **origin, "received_at": format_rfc3339(received_at)}
        room = self._largest - _ROOM - len(key or b"")
        if value is not None and len(value) > room:
            told["original_bytes"] = len(value)
            value = value[:room]
        headers: list[Header] = [(name, str(text).encode()) for name, text in told.items() if text is not None]
        partition = partition_for(key if key is not None else value or b"", self._partitions)
        return Record(self._topic, partition, key, value, headers, received_at)
