"""The tracker's work with Quix Streams: exactly once, state in RocksDB and a changelog topic.

It uses the bridge's own rules, so that only the engine differs.
"""

import sys
from typing import Any

from quixstreams import Application, State
from quixstreams.models import TopicConfig

from bridge.core.attempt import Policy
from bridge.core.lifecycle import EntryPosition, fold
from bridge.journal.serde import decode_entry
from bridge.state.serde import decode_state, encode_state

FIXED = [
    ("ce_specversion", b"1.0"),
    ("ce_type", b"sms.delivery.v1"),
    ("ce_source", b"/sms-bridge/bench"),
    ("ce_dataschema", b"urn:sms-bridge:schema:sms.delivery:v1.0"),
    ("content-type", b"application/json"),
]
POLICY = Policy()


def fold_entry(value: bytes, key: Any, timestamp: int, _headers: Any, state: State) -> list[dict[str, Any]]:
    """Fold one entry, store the state and return the events to publish."""
    attempt = key.decode() if isinstance(key, bytes) else key
    known = state.get("s")
    before = decode_state(known.encode()) if known else None
    folded = fold(attempt, before, decode_entry(value), EntryPosition(0, timestamp), POLICY)
    if folded.state is not None and folded.state is not before:
        state.set("s", encode_state(folded.state).decode())
    return [publication.delivery.as_json() for publication in folded.publications]


def make_headers(event: Any, _key: Any, _timestamp: int, _headers: Any) -> list[tuple[str, bytes]]:
    """Return an event's headers."""
    return [
        *FIXED,
        ("ce_id", event["event_id"].encode()),
        ("ce_subject", event["message_id"].encode()),
        ("ce_time", event["occurred_at"].encode()),
    ]


def main(servers: str, group: str, journal: str, delivery: str, folder: str) -> None:
    """Work through a journal forever."""
    app = Application(
        broker_address=servers,
        consumer_group=group,
        auto_offset_reset="earliest",
        processing_guarantee="exactly-once",
        commit_interval=0.5,
        state_dir=f"{folder}/state",
        producer_extra_config={"compression.type": "lz4"},
        loglevel="WARNING",
    )
    out = TopicConfig(num_partitions=4, replication_factor=1)
    source = app.topic(journal, value_deserializer="bytes", key_deserializer="bytes", config=out)
    target = app.topic(delivery, value_serializer="json", key_serializer="str", config=out)
    events = app.dataframe(source).apply(fold_entry, stateful=True, expand=True, metadata=True)
    events = events.set_headers(make_headers)
    events.to_topic(target, key=lambda event: event["message_id"])
    app.run()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4], sys.argv[6])
