"""Makes the records of events: for `sms.delivery`, and for the compacted topic with each attempt's last event."""

from collections.abc import Iterable
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from bridge.clock import now_ms
from bridge.core.delivery import Delivery
from bridge.core.entries import AttemptKey
from bridge.core.publication import Publication
from bridge.kafka.partitioner import partition_for
from bridge.kafka.records import Header, Record

EVENT_TYPE = "sms.delivery.v1"
DATA_SCHEMA = "urn:sms-bridge:schema:sms.delivery:v1.0"
"""The schema of these events, with its minor version."""


_encode = msgspec.json.Encoder().encode


class TopicTarget(NamedTuple):
    """A topic that is written to, and how many partitions it has."""

    topic: str
    partitions: int


class DeliveryRecords:
    """Makes the records of events, with the headers of the CloudEvents Kafka binding (binary mode).

    Args:
        delivery: The topic of events.
        latest: The compacted topic; None: there is none.
        source: The CloudEvents source of every event.
        max_age_ms: How old records' timestamps may be; None: as old as they are.
        frame: Prefix of every value: a schema registry's five bytes, or nothing.
    """

    def __init__(
        self,
        delivery: TopicTarget,
        latest: TopicTarget | None,
        source: str,
        max_age_ms: int | None = None,
        frame: bytes = b"",
    ) -> None:
        self._delivery, self._latest, self._max_age_ms, self._frame = delivery, latest, max_age_ms, frame
        self._fixed: list[Header] = [
            ("ce_specversion", b"1.0"),
            ("ce_type", EVENT_TYPE.encode()),
            ("ce_source", source.encode()),
            ("ce_dataschema", DATA_SCHEMA.encode()),
            ("content-type", b"application/json"),
        ]

    def make(self, publications: Iterable[Publication]) -> list[Record]:
        """Make the records of events, in order."""
        topic, partitions = self._delivery
        oldest = 0 if self._max_age_ms is None else now_ms() - self._max_age_ms // 2
        records = []
        for publication in publications:
            delivery, traceparent = publication.delivery, publication.traceparent
            key = delivery.message_id.encode()
            headers = [
                *self._fixed,
                ("ce_id", delivery.event_id.encode()),
                ("ce_subject", key),
                ("ce_time", delivery.occurred_at.encode()),
            ]
            if traceparent:
                headers.append(("traceparent", traceparent.encode()))
            value = self._frame + encode_delivery(delivery)
            timestamp = max(publication.timestamp, oldest)
            records.append(Record(topic, partition_for(key, partitions), key, value, headers, timestamp))
        return records

    def make_latest(self, publications: Iterable[Publication], records: Iterable[Record]) -> dict[bytes, Record]:
        """Make the records of the compacted topic: each attempt's last event of these, by the attempt, its key."""
        if self._latest is None:
            return {}
        topic, partitions = self._latest
        last = {_attempt_key(one.delivery): record for one, record in zip(publications, records, strict=True)}
        return {
            key: replace(record, topic=topic, partition=partition_for(key, partitions), key=key)
            for key, record in last.items()
        }


def encode_delivery(delivery: Delivery) -> bytes:
    """Encode an event as `sms.delivery` holds it (`schemas/sms.delivery.v1.json`)."""
    return _encode(delivery)


def _attempt_key(delivery: Delivery) -> bytes:
    return str(AttemptKey(delivery.provider, delivery.account, delivery.provider_message_id)).encode()
