"""Dead letters: records with the original bytes of input that can't be used, and headers that say why.

Only this module writes and parses the headers.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple, Self

import prometheus_client

from bridge.core.errors import DeadLetterReason
from bridge.core.timestamps import format_rfc3339, parse_rfc3339
from bridge.kafka.partitioner import partition_for
from bridge.kafka.records import Header, Record
from bridge.privacy import Privacy

MAX_HEADER_CHARS = 500
"""A longer text from outside is cut: an error, a content type."""

MAX_QUERY_BYTES = 1024
"""A longer query beside a body is cut."""

MAX_HEADERS_BYTES = 4 * 1024
"""Space reserved for a record's headers."""

NOT_REPLAYABLE: Mapping[DeadLetterReason, str] = {
    DeadLetterReason.CONFLICT: "the attempt belongs to another message",
    DeadLetterReason.TOO_OLD: "its end has passed",
    DeadLetterReason.TOO_LARGE: "the journal will not take it either",
}
"""Every other reason may no longer hold: after a change of settings, a release, or a late sent event."""


class SourcePosition(NamedTuple):
    """The position of the record that a dead letter is about."""

    topic: str
    partition: int
    offset: int


class HttpSource(NamedTuple):
    """The request of the callback that a dead letter is about."""

    method: str
    route: str
    """The path, with `{secret}` instead of the secret."""
    content_type: str | None
    query: str | None = None
    """The query beside a body; without a body, the query is the original."""


class DeadLetter(NamedTuple):
    """Input that can't be used, the reason, and its source."""

    reason: str
    """A `DeadLetterReason`; another text if another program wrote the record."""
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
    """The size of the original, if only its beginning is kept."""
    partition: int = -1
    """The position in the dead-letter topic, if it was read from there."""
    offset: int = -1

    @property
    def headers(self) -> dict[str, str]:
        """The headers of the record, in the order in which they are written."""
        source, http = self.source or (None, None, None), self.http or (None, None, None, None)
        members = {
            "reason": self.reason,
            "error": self.error,
            **dict(zip(("http_method", "http_route", "content_type", "http_query"), http, strict=True)),
            **dict(zip(("source_topic", "source_partition", "source_offset"), source, strict=True)),
            "provider": self.provider,
            "account": self.account,
            "received_at": format_rfc3339(self.received_at),
            "original_bytes": self.original_bytes,
        }
        return {name: str(member) for name, member in members.items() if member is not None}

    @classmethod
    def parse(cls, record: Any) -> Self:
        """Parse a record of the dead-letter topic. Missing or wrong headers raise no error."""
        headers = {name: (text or b"").decode("utf-8", "replace") for name, text in record.headers}
        received_at = parse_rfc3339(headers.get("received_at", ""))
        return cls(
            reason=headers.get("reason", ""),
            error=headers.get("error", ""),
            key=record.key,
            value=record.value or b"",
            received_at=record.timestamp if received_at is None else received_at,
            source=_parse_source(headers),
            http=_parse_http(headers),
            provider=headers.get("provider"),
            account=headers.get("account"),
            original_bytes=_parse_integer(headers.get("original_bytes")),
            partition=record.partition,
            offset=record.offset,
        )


class DeadLetters:
    """Makes the records of the dead-letter topic, and counts those that were written.

    Args:
        topic: The name of the topic.
        partitions: Its number of partitions.
        max_bytes: Its maximum size of a record.
        privacy: Redacts phone numbers.
        counter: The metric of dead letters, by reason.
    """

    def __init__(
        self, topic: str, partitions: int, max_bytes: int, privacy: Privacy, counter: prometheus_client.Counter
    ) -> None:
        self._topic, self._partitions, self._max_bytes = topic, partitions, max_bytes
        self._privacy, self._counter = privacy, counter
        self._written: Counter[str] = Counter()
        for reason in DeadLetterReason:
            counter.labels(reason.value)  # from 0 on, so that alerts notice the first one

    def to_record(self, letter: DeadLetter) -> Record:
        """Make the record of a dead letter: with phone numbers redacted, and cut to the topic's maximum size."""
        key, value = self._privacy.redact_original(letter.key, letter.value)
        value, room = value or b"", self._max_bytes - MAX_HEADERS_BYTES
        if key is not None and len(key) > room // 2:
            letter = letter._replace(error=f"{letter.error}; its key of {len(key)} bytes is left out")
            key = None
        room -= len(key or b"")
        http = letter.http and letter.http._replace(
            content_type=self._redact_header(letter.http.content_type), query=self._redact_query(letter.http.query)
        )
        written = letter._replace(
            error=self._redact_header(letter.error),
            http=http,
            original_bytes=len(value) if len(value) > room else None,
        )
        value = value[:room]
        headers: list[Header] = [
            (name, text.encode("utf-8", "backslashreplace")) for name, text in written.headers.items()
        ]
        partition = partition_for(key if key is not None else value, self._partitions)
        return Record(self._topic, partition, key, value, headers, letter.received_at)

    def _redact_header(self, text: str | None) -> Any:
        return text and self._privacy.redact_text(text)[:MAX_HEADER_CHARS]

    def _redact_query(self, query: str | None) -> str | None:
        if query is None:
            return None
        redacted = self._privacy.redact_original(None, query.encode("utf-8", "surrogateescape")).value or b""
        return redacted[:MAX_QUERY_BYTES].decode("utf-8", "replace")

    def count(self, reason: DeadLetterReason, number: int = 1) -> None:
        """Count dead letters that were written."""
        self._written[reason.value] += number
        self._counter.labels(reason.value).inc(number)

    def snapshot(self) -> Mapping[str, int]:
        """Count the dead letters that this process has written, by reason."""
        return dict(self._written)


def _parse_integer(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() else None


def _parse_source(headers: Mapping[str, str]) -> SourcePosition | None:
    topic, partition, offset = (headers.get(f"source_{name}") for name in ("topic", "partition", "offset"))
    at = _parse_integer(partition), _parse_integer(offset)
    return SourcePosition(topic, at[0], at[1]) if topic and at[0] is not None and at[1] is not None else None


def _parse_http(headers: Mapping[str, str]) -> HttpSource | None:
    method = headers.get("http_method")
    if not method:
        return None
    return HttpSource(method, headers.get("http_route", ""), headers.get("content_type"), headers.get("http_query"))
