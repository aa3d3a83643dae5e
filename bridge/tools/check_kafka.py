"""What `check` says of Kafka: is it there, may we, are the topics as they must be. Nothing is made and nothing written.

Rights are found out by trying. Writing is tried at a partition that doesn't exist: a broker looks at the rights first.
"""

import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Any, NamedTuple

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

from bridge.core.errors import Misconfigured
from bridge.kafka.abandoning import abandoned
from bridge.kafka.clients import Kafka, told
from bridge.kafka.offsets import lost_places
from bridge.kafka.topics import Found, inspect
from bridge.settings.model import PREFIX, Settings
from bridge.tools.findings import Finding, Level, ok
from bridge.tools.output import lasting
from bridge.tools.scan import Scanner, Span, scanner
from bridge.wording import counted

NOWHERE = 2**31 - 1
"""A partition that no topic has."""

AHEAD = 5_000
"""Milliseconds by which a broker's clock may be ahead of ours before it is worth a word."""

REPLICAS = 3


async def look_at_kafka(settings: Settings) -> AsyncIterator[Finding]:
    """A line for each thing that was looked at."""
    kafka = Kafka(settings.kafka)
    servers = ", ".join(settings.kafka.bootstrap_servers)
    try:
        async with scanner(kafka) as scan:
            cluster = await scan.admin.describe_cluster()
            brokers = len(cluster["brokers"])
            yield ok("kafka", servers, f"{counted(brokers, 'broker')}, cluster {cluster['cluster_id']}")
            found = await inspect(kafka, settings, apply=False)
            for topic in settings.topics.sent:
                yield await _sent_topic(scan, topic)
            for finding in _topics(found, settings):
                yield finding
            async for finding in _rights(scan, kafka, settings, found):
                yield finding
            if found[0].partitions:
                yield await _clock(scan, settings.topics.journal)
    except Misconfigured as error:
        name, _, text = str(error).partition(": ")
        yield Finding(
            "kafka", "wrong", name if text else servers, text or str(error), "is it up, and is this its name?"
        )
    except (KafkaError, OSError) as error:
        yield Finding("kafka", "wrong", servers, told(error), "see the broker's log")


# --- topics -----------------------------------------------------------------------------------------------------------


async def _sent_topic(scan: Scanner, topic: str) -> Finding:
    try:
        return ok("topics", topic, f"{await scan.partitions(topic)} partitions")
    except Misconfigured as error:
        return Finding("topics", "wrong", topic, str(error), f"its owner has to create it; or set {PREFIX}TOPICS__SENT")


class Rule(NamedTuple):
    """What a topic's setting must be, and what is to be said when it isn't."""

    name: str
    holds: Callable[[str], bool]
    level: Level
    told: str
    remedy: str


def _rules(settings: Settings) -> Mapping[str, tuple[Rule, ...]]:
    topics, follow = settings.topics, settings.follow.max_follow
    copies = Rule(
        "min.insync.replicas", lambda text: int(text) > 1, "warning", "is below 2", "a lost broker may lose data; set 2"
    )
    stamp, keeps = "message.timestamp.type", "retention.ms"
    return {
        topics.journal: (
            Rule("cleanup.policy", lambda text: "compact" not in text, "wrong", "loses reports", "set delete"),
            Rule(stamp, lambda text: text == "LogAppendTime", "warning", "isn't LogAppendTime", "set it"),
            Rule(keeps, lambda t: not 0 <= int(t) < follow, "warning", "is below MAX_FOLLOW", "raise it"),
            copies,
        ),
        topics.state: (
            Rule("cleanup.policy", lambda text: "compact" in text, "wrong", "forgets messages", "set compact"),
            copies,
        ),
        topics.delivery: (copies,),
        topics.latest: (
            Rule("cleanup.policy", lambda text: "compact" in text, "wrong", "keeps no view", "set compact"),
            copies,
        ),
        topics.dead_letter: (copies,),
    }


def _topics(found: list[Found], settings: Settings) -> Iterator[Finding]:
    rules = _rules(settings)
    for topic in found:
        name = topic.plan.name
        if not topic.partitions:
            yield _missing(name, may_create=settings.kafka.create_topics)
            continue
        yield ok("topics", name, f"{topic.partitions} partitions, {topic.policy or 'settings not readable'}")
        if not topic.config:
            yield Finding("topics", "warning", name, "its settings can't be read", "allow DescribeConfigs on it")
        for rule in rules[name] if topic.config else ():
            value = topic.config.get(rule.name)
            if value is not None and not rule.holds(value):
                yield Finding("topics", rule.level, name, f"{rule.name}={value} {rule.told}", rule.remedy)
        if topic.replicas and topic.replicas < REPLICAS:
            yield Finding(
                "topics", "warning", name, f"replicas: {topic.replicas}", "a lost broker loses data; give it 3"
            )
    journal, state = found[0], found[1]
    if journal.partitions and state.partitions and journal.partitions != state.partitions:
        counts = f"{journal.partitions} partitions and {state.plan.name} {state.partitions}"
        yield Finding("topics", "wrong", journal.plan.name, counts, "they must be the same; make the emptier one anew")


def _missing(name: str, *, may_create: bool) -> Finding:
    if may_create:
        return ok("topics", name, "missing; the service makes it when it starts")
    return Finding("topics", "wrong", name, "missing, and KAFKA__CREATE_TOPICS is false", "sms-bridge topics --apply")


# --- rights -----------------------------------------------------------------------------------------------------------


async def _rights(scan: Scanner, kafka: Kafka, settings: Settings, found: list[Found]) -> AsyncIterator[Finding]:
    there = [topic.plan.name for topic in found if topic.partitions]
    for name in (*settings.topics.sent, *there):
        yield await _may("Read", f"topic {name}", _reading(scan, name))
    for name in there:
        yield await _may("Write", f"topic {name}", _writing(scan, name))
    group = settings.kafka.group_id
    for part in ("intake", "tracker"):
        yield await _may("Describe", f"group {group}.{part}", scan.admin.list_consumer_group_offsets(f"{group}.{part}"))
    yield await _may("Write", f"transactional id {group}.…", _transacting(kafka, f"{group}.tracker.check"))
    if found[0].partitions:
        yield await _place(kafka, settings, found[0].partitions)


async def _may(right: str, subject: str, trying: Any) -> Finding:
    try:
        await trying
    except (TopicAuthorizationFailedError, GroupAuthorizationFailedError, TransactionalIdAuthorizationFailed):
        return Finding("rights", "wrong", subject, f"may not {right.lower()}", f"allow {right} on it to this user")
    except Misconfigured as error:
        return Finding("rights", "wrong", subject, str(error), "allow Describe on it, or create it")
    except GroupCoordinatorNotAvailableError:
        return Finding(
            "rights", "warning", subject, "can't be told: Kafka has no coordinator yet", "ask again in a moment"
        )
    except KafkaError as error:
        return Finding("rights", "warning", subject, f"can't be told: {told(error)}")
    return ok("rights", subject, right.lower())


async def _reading(scan: Scanner, topic: str) -> None:
    """Read up to one record, of a partition that has some where there is one: an empty one makes us wait."""
    spans = await scan.spans(topic, 0)
    tp = next((tp for tp, span in spans.items() if span.start < span.end), next(iter(spans)))
    await scan.peek(tp, spans[tp].start)


async def _writing(scan: Scanner, topic: str) -> None:
    leader = await scan.leader(TopicPartition(topic, 0))
    response = await scan.send(leader, ProduceRequest(None, -1, 5_000, [(topic, [(NOWHERE, b"")])]))
    error = for_code(response.topics[0][1][0][1])
    if error is not UnknownTopicOrPartitionError:
        raise error()


async def _transacting(kafka: Kafka, transactional_id: str) -> None:
    await abandoned(await kafka.producer(transactional_id))


async def _place(kafka: Kafka, settings: Settings, partitions: int) -> Finding:
    subject = f"{settings.kafka.group_id}.tracker"
    try:
        lost = await lost_places(kafka, settings, partitions)
    except (KafkaError, Misconfigured) as error:
        return Finding("kafka", "wrong", subject, str(error))
    if not lost:
        return ok("kafka", subject, "knows its place in the journal")
    remedy = "sms-bridge topics --adopt end|start"
    return Finding("kafka", "wrong", subject, f"has no offsets in the journal's partitions {lost}", remedy)


# --- clock ------------------------------------------------------------------------------------------------------------


async def _clock(scan: Scanner, journal: str) -> Finding:
    """The newest entry was stamped by a broker: when that lies ahead of us, a clock is wrong."""
    newest = 0

    def take(record: Any) -> None:
        nonlocal newest
        newest = max(newest, record.timestamp)

    spans = await scan.spans(journal, 0)
    await scan.scan({tp: Span(max(span.start, span.end - 1), span.end) for tp, span in spans.items()}, take)
    ahead = newest - time.time_ns() // 1_000_000
    if ahead > AHEAD:
        return Finding("clock", "wrong", "Kafka", f"{lasting(ahead)} ahead of this machine", "set the clocks by NTP")
    return ok("clock", "Kafka", "not ahead of this machine" if newest else "no entry yet to compare with")
