"""Keeps the latest status of every message from `sms.delivery`, with confluent-kafka.

pip install confluent-kafka
BOOTSTRAP_SERVERS=localhost:9092 GROUP=my-team python with_confluent_kafka.py
"""

import json
import os
import signal
import sys
from typing import Any

from confluent_kafka import Consumer, KafkaException

latest: dict[tuple[str, str, str], dict[str, Any]] = {}
"""The last event of each attempt. A real consumer stores it in its database, in the same transaction as its work."""


def take(event: dict[str, Any]) -> bool:
    """Keep an event unless it is a duplicate: within an attempt, `sequence` only increases."""
    attempt = (event["provider"], event["account"], event["provider_message_id"])
    known = latest.get(attempt)
    if known and event["sequence"] <= known["sequence"]:
        return False
    latest[attempt] = event
    return True


def main() -> None:
    """Read until SIGTERM."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    consumer = Consumer(
        {
            "bootstrap.servers": os.environ["BOOTSTRAP_SERVERS"],
            "group.id": os.environ["GROUP"],
            "isolation.level": "read_committed",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    consumer.subscribe([os.environ.get("TOPIC", "sms.delivery")])
    try:
        while True:
            messages = consumer.consume(500, timeout=0.2)
            for message in messages:
                if message.error():
                    raise KafkaException(message.error())
                event = json.loads(message.value())
                if take(event):
                    told = {name: event[name] for name in ("message_id", "outcome", "status", "final", "corrects")}
                    print(json.dumps(told), flush=True)
            if messages:
                consumer.commit(asynchronous=False)  # after the work: after a crash, events are read again
    finally:
        consumer.close()


if __name__ == "__main__":
    main()
