"""`check` of Kafka: whether it answers, grants the rights, and has fit topics. Nothing is created and nothing written.

Rights are found out by trying. Writing is tried at a partition that doesn't exist: a broker looks at the rights first.
"""

from collections.abc import AsyncIterator
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    GroupCoordinatorNotAvailableError,
    KafkaError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
    UnknownTopicOrPartitionError,
    for_code,
)
from aiokafka.protocol.produce import ProduceRequest

from bridge.clock import now_ms
from bridge.core.errors import ConfigurationError
from bridge.history.topic_scanner import OffsetSpan, TopicScanner, open_scanner
from bridge.journal.offsets import find_lost_offsets
from bridge.kafka.broker_versions import OLDEST_TESTED_RELEASE, assess_brokers
from bridge.kafka.clients import KafkaClients
from bridge.kafka.errors import format_error
from bridge.kafka.producers import abort_producer
from bridge.kafka.topics import TopicStatus, inspect_topics
from bridge.settings.model import PREFIX, Settings
from bridge.text import format_count, format_duration
from bridge.tools.check_finding import CheckFinding, ok
from bridge.tools.check_topics import check_topics

MISSING_PARTITION = 2**31 - 1
"""A partition that no topic has."""

MAX_CLOCK_AHEAD_MS = 5_000
"""By which a broker's clock may be ahead of ours before `check` reports it."""


async def check_kafka(settings: Settings) -> AsyncIterator[CheckFinding]:
    """Check Kafka, a line for each thing."""
    kafka = KafkaClients(settings.kafka)
    servers = ", ".join(settings.kafka.bootstrap_servers)
    try:
        async with open_scanner(kafka) as scan:
            old = await _find_old_brokers(scan)
            for finding in old:
                yield finding
            if any(finding.level == "wrong" for finding in old):
                return  # whatever else fails only follows from it
            cluster = await scan.admin.describe_cluster()
            brokers = len(cluster["brokers"])
            yield ok("kafka", servers, f"{format_count(brokers, 'broker')}, cluster {cluster['cluster_id']}")
            found = await inspect_topics(kafka, settings.topics, apply=False)
            for topic in settings.topics.sent:
                yield await _check_sent_topic(scan, topic)
            for finding in check_topics(found, settings):
                yield finding
            async for finding in _check_rights(scan, kafka, settings, found):
                yield finding
            if found[0].partitions:
                yield await _check_clock(scan, settings.topics.journal)
    except ConfigurationError as error:
        name, _, text = str(error).partition(": ")
        yield CheckFinding("kafka", "wrong", name if text else servers, text or str(error))
    except (KafkaError, OSError) as error:
        yield CheckFinding("kafka", "wrong", servers, format_error(error), "see the broker's log")


async def _find_old_brokers(scan: TopicScanner) -> list[CheckFinding]:
    remedy = f"upgrade it to Apache Kafka {OLDEST_TESTED_RELEASE} or newer"
    return [
        CheckFinding("kafka", "wrong" if one.level == "refused" else "warning", address, one.text, remedy)
        for address, one in (await assess_brokers(scan.admin)).items()
        if one.level != "supported"
    ]


# --- topics -----------------------------------------------------------------------------------------------------------


async def _check_sent_topic(scan: TopicScanner, topic: str) -> CheckFinding:
    try:
        return ok("topics", topic, f"{await scan.partitions(topic)} partitions")
    except ConfigurationError as error:
        return CheckFinding(
            "topics", "wrong", topic, str(error), f"its owner has to create it; or set {PREFIX}TOPICS__SENT"
        )


# --- rights -----------------------------------------------------------------------------------------------------------


async def _check_rights(
    scan: TopicScanner, kafka: KafkaClients, settings: Settings, found: list[TopicStatus]
) -> AsyncIterator[CheckFinding]:
    there = [topic.plan.name for topic in found if topic.partitions]
    for name in (*settings.topics.sent, *there):
        yield await _try_right("Read", f"topic {name}", _read_one(scan, name))
    for name in there:
        yield await _try_right("Write", f"topic {name}", _write_nowhere(scan, name))
    groups = settings.kafka
    for group in (groups.intake_group, groups.tracker_group):
        yield await _try_right("Describe", f"group {group}", scan.admin.list_consumer_group_offsets(group))
    ids = f"transactional id {groups.group_id}.…"
    yield await _try_right("Write", ids, _open_transaction(kafka, f"{groups.tracker_group}.check"))
    if found[0].partitions:
        yield await _check_offsets(kafka, settings, found[0].partitions)


async def _try_right(right: str, subject: str, trying: Any) -> CheckFinding:
    try:
        await trying
    except (TopicAuthorizationFailedError, GroupAuthorizationFailedError, TransactionalIdAuthorizationFailed):
        return CheckFinding("rights", "wrong", subject, f"may not {right.lower()}", f"allow {right} on it to this user")
    except ConfigurationError as error:
        return CheckFinding("rights", "wrong", subject, str(error), "allow Describe on it, or create it")
    except GroupCoordinatorNotAvailableError:
        return CheckFinding(
            "rights", "warning", subject, "unclear: Kafka has no coordinator yet", "run check again in a moment"
        )
    except KafkaError as error:
        return CheckFinding("rights", "warning", subject, f"unclear: {format_error(error)}")
    return ok("rights", subject, right.lower())


async def _read_one(scan: TopicScanner, topic: str) -> None:
    """Read up to one record, if possible of a partition that has some: an empty one takes a whole fetch time-out."""
    spans = await scan.spans(topic, 0)
    tp = next((tp for tp, span in spans.items() if span.start < span.end), next(iter(spans)))
    await scan.peek(tp, spans[tp].start)


async def _write_nowhere(scan: TopicScanner, topic: str) -> None:
    leader = await scan.leader(TopicPartition(topic, 0))
    response = await scan.send(leader, ProduceRequest(None, -1, 5_000, [(topic, [(MISSING_PARTITION, b"")])]))
    error = for_code(response.topics[0][1][0][1])
    if error is not UnknownTopicOrPartitionError:
        raise error()


async def _open_transaction(kafka: KafkaClients, transactional_id: str) -> None:
    await abort_producer(await kafka.producer(transactional_id))


async def _check_offsets(kafka: KafkaClients, settings: Settings, partitions: int) -> CheckFinding:
    subject = settings.kafka.tracker_group
    try:
        lost = await find_lost_offsets(kafka, subject, settings.topics, partitions)
    except (KafkaError, ConfigurationError) as error:
        return CheckFinding("kafka", "wrong", subject, str(error))
    if not lost:
        return ok("kafka", subject, "has its offsets in the journal")
    remedy = "sms-bridge topics --adopt end|start"
    return CheckFinding("kafka", "wrong", subject, f"has no offsets in the journal's partitions {lost}", remedy)


# --- clock ------------------------------------------------------------------------------------------------------------


async def _check_clock(scan: TopicScanner, journal: str) -> CheckFinding:
    """Compare clocks: when the newest entry, stamped by a broker, lies in our future, one of them is wrong."""
    newest = 0

    def take(record: Any) -> None:
        nonlocal newest
        newest = max(newest, record.timestamp)

    spans = await scan.spans(journal, 0)
    await scan.scan({tp: OffsetSpan(max(span.start, span.end - 1), span.end) for tp, span in spans.items()}, take)
    ahead = newest - now_ms()
    if ahead > MAX_CLOCK_AHEAD_MS:
        return CheckFinding(
            "clock", "wrong", "Kafka", f"{format_duration(ahead)} ahead of this machine", "set the clocks by NTP"
        )
    return ok("clock", "Kafka", "not ahead of this machine" if newest else "no entry yet to compare with")
