"""Dead letters: input that can't be used, as records with the original bytes and headers that say what is wrong.

The headers are written and parsed here and nowhere else.
"""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple, Self

import prometheus_client

from bridge.core.delivery import format_rfc3339
from bridge.core.errors import DeadLetterReason
from bridge.kafka.partitioner import partition_for
from bridge.kafka.records import Header, Record
from bridge.privacy import Privacy

MAX_ERROR_CHARS = 500
"""Longer error texts are cut."""

FRAME_BYTES = 4 * 1024
"""Room for a record's headers besides its key and value."""


class SourcePosition(NamedTuple):
    """The record that a dead letter is about."""

    topic: str
    partition: int
    offset: int


class HttpSource(NamedTuple):
    """The callback that a dead letter holds."""

    method: str
    route: str
    """With `{secret}` in place of the secret."""
    content_type: str | None


class DeadLetter(NamedTuple):
    """Input that can't be used, why, and where it came from."""

    reason: str
    """A `DeadLetterReason`; in a topic that others write to, perhaps something else."""
    error: str
    key: bytes | None
    value: bytes
    received_at: int
    """Milliseconds since the epoch."""
    source: SourcePosition | None = None
    http: HttpSource | None = None
    provider: str | None = None
    account: str | None = None
    original_bytes: int | None = None
    """The size of the original, where only its beginning is kept."""
    partition: int = -1
    """Where the letter stands in its topic; known once it was read from there."""
    offset: int = -1

    @property
    def headers(self) -> dict[str, str]:
        """The letter's headers, in the order in which they are written."""
        source, http = self.source or (None, None, None), self.http or (None, None, None)
        members = {
            "reason": self.reason,
            "error": self.error,
            **dict(zip(("http_method", "http_route", "content_type"), http, strict=True)),
            **dict(zip(("source_topic", "source_partition", "source_offset"), source, strict=True)),
            "provider": self.provider,
            "account": self.account,
            "received_at": format_rfc3339(self.received_at),
            "original_bytes": self.original_bytes,
        }
        return {name: str(member) for name, member in members.items() if member is not None}

    @classmethod
    def parse(cls, record: Any) -> Self:
        """Read a record of the dead-letter topic. What its headers don't say is absent; nothing is raised."""
        headers = {name: (text or b"").decode("utf-8", "replace") for name, text in record.headers}
        return cls(
            reason=headers.get("reason", ""),
            error=headers.get("error", ""),
            key=record.key,
            value=record.value or b"",
            received_at=_parse_time(headers.get("received_at", ""), record.timestamp),
            source=_parse_source(headers),
            http=_parse_http(headers),
            provider=headers.get("provider"),
            account=headers.get("account"),
            original_bytes=_parse_integer(headers.get("original_bytes")),
            partition=record.partition,
            offset=record.offset,
        )


class DeadLetters:
    """Makes the records of the dead-letter topic, and counts them once they are written.

    Args:
        topic: Its name.
        partitions: How many partitions it has.
        max_bytes: The largest record that it takes.
        privacy: What may be kept of phone numbers.
        counter: The metric of dead letters, by reason.
    """

    def __init__(
        self, topic: str, partitions: int, max_bytes: int, privacy: Privacy, counter: prometheus_client.Counter
    ) -> None:
        self._topic, self._partitions, self._max_bytes = topic, partitions, max_bytes
        self._privacy, self._counter = privacy, counter
        self._written: Counter[str] = Counter()

    def to_record(self, letter: DeadLetter) -> Record:
        """Make the record of a letter: phone numbers protected as settings say, cut to what the topic takes."""
        key, value = self._privacy.redact_original(letter.key, letter.value)
        room = self._max_bytes - FRAME_BYTES - len(key or b"")
        kept = letter._replace(
            error=self._privacy.redact_text(letter.error)[:MAX_ERROR_CHARS],
            original_bytes=len(value or b"") if len(value or b"") > room else None,
        )
        value = (value or b"")[:room]
        headers: list[Header] = [(name, text.encode()) for name, text in kept.headers.items()]
        partition = partition_for(key if key is not None else value, self._partitions)
        return Record(self._topic, partition, key, value, headers, letter.received_at)

    def count(self, reason: DeadLetterReason, number: int = 1) -> None:
        """Count letters that were written."""
        self._written[reason.value] += number
        self._counter.labels(reason.value).inc(number)

    def snapshot(self) -> Mapping[str, int]:
        """How many letters this process has written, by reason."""
        return dict(self._written)


def _parse_time(text: str, otherwise: int) -> int:
    try:
        return round(datetime.fromisoformat(text).timestamp() * 1000)
    except (ValueError, OverflowError):
        return otherwise


def _parse_integer(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() else None


def _parse_source(headers: Mapping[str, str]) -> SourcePosition | None:
    topic, partition, offset = (headers.get(f"source_{name}") for name in ("topic", "partition", "offset"))
    at = _parse_integer(partition), _parse_integer(offset)
    return SourcePosition(topic, at[0], at[1]) if topic and at[0] is not None and at[1] is not None else None


def _parse_http(headers: Mapping[str, str]) -> HttpSource | None:
    method = headers.get("http_method")
    return HttpSource(method, headers.get("http_route", ""), headers.get("content_type")) if method else None
