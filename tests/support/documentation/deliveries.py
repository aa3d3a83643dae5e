"""Events of `sms.delivery` for the tests of examples, written as the bridge does by default."""

import json
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

from aiokafka.admin import NewTopic

from bridge.core.delivery import OUTCOMES, Outcome, Status
from bridge.kafka.clients import KafkaClients
from bridge.kafka.records import Record, send_batches
from bridge.settings.kafka import KafkaSettings
from tests.support.paths import SCHEMAS

EVENT = json.loads((SCHEMAS / "examples/sms.delivery.v1/valid/not-delivered-by-poll.json").read_text())

Delivery = Mapping[str, Any]


def make_delivery(message: str, attempt: str, sequence: int, status: str, **members: Any) -> Delivery:
    """Return an event."""
    ids = {"event_id": str(uuid4()), "message_id": message, "provider_message_id": attempt, "sequence": sequence}
    outcome = OUTCOMES[Status(status)]
    meaning = {"status": status, "outcome": outcome, "final": outcome != Outcome.IN_PROGRESS, "corrects": None}
    return {**EVENT, **ids, **meaning, **members}


def make_two_messages() -> list[Delivery]:
    """Return the events of `m-1`, delivered by its first attempt after all, and of `m-2`, which is sent again."""
    early, late = "2026-11-22T05:36:00.000Z", "2026-11-22T05:41:00.000Z"
    failed = make_delivery("m-1", "a-1", 2, "failed", sent_at=early, provider_details={"price": "0.031"})
    return [
        make_delivery("m-1", "a-1", 1, "sent", sent_at=early),
        failed,
        make_delivery("m-1", "a-1", 3, "delivered", sent_at=early, corrects=failed["event_id"]),
        make_delivery("m-1", "a-2", 1, "failed", sent_at=late),
        make_delivery("m-2", "b-1", 1, "rejected", sent_at=early, permanent=True),
        make_delivery("m-2", "b-2", 1, "sent", sent_at=late, a_member_of_tomorrow=[1]),
    ]


ATTEMPTS = [["a-1", "3", "delivered"], ["a-2", "1", "failed"], ["b-1", "1", "rejected"], ["b-2", "1", "sent"]]
"""The latest status of each attempt of the two messages."""

MESSAGES = [["m-1", "delivered", "delivered"], ["m-2", "in_progress", "sent"]]
"""The latest outcome and status of the two messages."""


async def create_topic(kafka: str, partitions: int = 1) -> str:
    """Create a topic for events."""
    topic = f"test-{uuid4().hex[:12]}.delivery"
    admin = await KafkaClients(KafkaSettings(bootstrap_servers=(kafka,))).admin()
    await admin.create_topics([NewTopic(topic, partitions, 1)])
    await admin.close()
    return topic


async def write_deliveries(kafka: str, topic: str, events: Sequence[Delivery], *, commit: bool = True) -> None:
    """Write events in one transaction."""
    producer = await KafkaClients(KafkaSettings(bootstrap_servers=(kafka,))).producer(topic)
    records = [Record(topic, 0, one["message_id"].encode(), json.dumps(one).encode()) for one in events]
    await producer.begin_transaction()
    for future, _ in await send_batches(producer, records):
        await future
    await (producer.commit_transaction() if commit else producer.abort_transaction())
    await producer.stop()
