"""What the bridge's topics must look like, whether they do, and how missing ones are made."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple
from uuid import uuid4

import structlog
from aiokafka import TopicPartition
from aiokafka.admin import NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code
from aiokafka.structs import OffsetAndMetadata

from bridge.core.errors import Misconfigured
from bridge.kafka import Kafka, stopped
from bridge.settings import PREFIX, Settings, TopicSettings

DAY = 86_400_000
DEAD_LETTER_PARTITIONS = 3
DEAD_LETTER_BYTES = 8 * 1024 * 1024
"""A dead letter holds what was too large elsewhere."""

log = structlog.get_logger(__name__)


class TopicPlan(NamedTuple):
    """A topic as it should be."""

    name: str
    partitions: int
    config: Mapping[str, str]


class Partitions(NamedTuple):
    """How many partitions each output has, and how large a dead letter may be."""

    journal: int
    delivery: int
    dead_letter: int
    dead_letter_bytes: int
    tombstones_live: int
    """`delete.retention.ms` of the state topic."""


def plans(topics: TopicSettings) -> tuple[TopicPlan, ...]:
    """The topics that the bridge makes; never the ones it reads."""
    two_weeks = {"cleanup.policy": "delete", "retention.ms": str(14 * DAY)}
    return (
        TopicPlan(
            topics.journal,
            topics.journal_partitions,
            {
                "cleanup.policy": "delete",
                "retention.ms": str(7 * DAY),
                # The broker's clock, one for all replicas, tells when an entry was learnt.
                "message.timestamp.type": "LogAppendTime",
            },
        ),
        TopicPlan(topics.state, topics.journal_partitions, {"cleanup.policy": "compact", "segment.ms": "3600000"}),
        TopicPlan(topics.delivery, topics.delivery_partitions, two_weeks),
        TopicPlan(
            topics.dead_letter, DEAD_LETTER_PARTITIONS, {**two_weeks, "max.message.bytes": str(DEAD_LETTER_BYTES)}
        ),
    )


async def prepare(kafka: Kafka, settings: Settings) -> Partitions:
    """Make what is missing, refuse what can't work, warn of what is unwise.

    Raises:
        Misconfigured: `sms.sent` is missing, or a topic of ours is not as it must be.
    """
    admin = await kafka.admin()
    try:
        return await _prepare(admin, settings)
    except KafkaError as error:
        raise Misconfigured(f"Kafka's topics can't be prepared: {type(error).__name__}: {error}") from error
    finally:
        await stopped(admin.close(), "admin client")


async def _prepare(admin: Any, settings: Settings) -> Partitions:
    topics = settings.topics
    wanted = plans(topics)
    there = set(await admin.list_topics())
    for name in topics.sent:
        if name not in there:
            raise Misconfigured(f"{PREFIX}TOPICS__SENT: the topic {name!r} is missing; its owner has to create it")
    missing = [plan for plan in wanted if plan.name not in there]
    if missing and not settings.kafka.create_topics:
        names = ", ".join(plan.name for plan in missing)
        raise Misconfigured(f"{PREFIX}KAFKA__CREATE_TOPICS is false and these topics are missing: {names}")
    await _create(admin, missing, topics.replication)
    described = {topic["topic"]: topic for topic in await _described(admin, [plan.name for plan in wanted])}
    configs = await _configs(admin, described)
    _judge(topics, described, configs)
    return Partitions(
        journal=len(described[topics.journal]["partitions"]),
        delivery=len(described[topics.delivery]["partitions"]),
        dead_letter=len(described[topics.dead_letter]["partitions"]),
        dead_letter_bytes=int(configs.get(topics.dead_letter, {}).get("max.message.bytes", 1024 * 1024)),
        tombstones_live=int(configs.get(topics.state, {}).get("delete.retention.ms", DAY)),
    )


async def _create(admin: Any, missing: Iterable[TopicPlan], replication: int) -> None:
    new = [NewTopic(plan.name, plan.partitions, 1, topic_configs=dict(plan.config)) for plan in missing]
    if not new:
        return
    for topic in new:
        # -1, the broker's default, is what the client's constructor takes for "assignments follow".
        topic.replication_factor = replication
    response = await admin.create_topics(new)
    for name, code, *text in response.topic_errors:
        error = for_code(code)
        # Another replica may have been quicker.
        if code and error is not TopicAlreadyExistsError:
            raise Misconfigured(f"the topic {name!r} can't be created: {error.__name__} {text[0] if text else ''}")
    log.info("topics created", topics=[topic.name for topic in new])


async def _described(admin: Any, names: list[str]) -> list[Any]:
    """Descriptions of topics; a topic just made may take a moment to be known by every broker."""
    for _ in range(100):
        described: list[Any] = await admin.describe_topics(names)
        if all(topic["error_code"] == 0 and topic["partitions"] for topic in described):
            return described
        await asyncio.sleep(0.1)
    raise Misconfigured(f"Kafka doesn't describe these topics: {', '.join(names)}; are the ACLs set?")


async def _configs(admin: Any, names: Iterable[str]) -> dict[str, dict[str, str]]:
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    try:
        responses = await admin.describe_configs(resources)
    except KafkaError as error:
        log.warning("topic settings can't be read; they are not checked", error=type(error).__name__)
        return {}
    found: dict[str, dict[str, str]] = {}
    for response in responses:
        for code, _text, _kind, name, entries in response.resources:
            if code:
                log.warning("topic settings can't be read; they are not checked", topic=name)
            else:
                found[name] = {entry[0]: entry[1] for entry in entries}
    return found


def _judge(topics: TopicSettings, described: Mapping[str, Any], configs: Mapping[str, Mapping[str, str]]) -> None:
    journal, state = (len(described[name]["partitions"]) for name in (topics.journal, topics.state))
    if journal != state:
        raise Misconfigured(
            f"{topics.journal} has {journal} partitions and {topics.state} has {state}: they must be the same number"
        )
    if "compact" in configs.get(topics.journal, {}).get("cleanup.policy", "delete"):
        raise Misconfigured(f"{topics.journal} is compacted, which loses reports; set its cleanup.policy to delete")
    if "compact" not in configs.get(topics.state, {}).get("cleanup.policy", "compact"):
        raise Misconfigured(f"{topics.state} isn't compacted and would forget messages; set cleanup.policy to compact")
    for name, topic in described.items():
        replicas = min(len(partition["replicas"]) for partition in topic["partitions"])
        in_sync = int(configs.get(name, {}).get("min.insync.replicas", "2"))
        if replicas < 3 or in_sync < 2:  # noqa: PLR2004 - what it takes to lose a broker and nothing else
            log.warning("a lost broker could lose data", topic=name, replicas=replicas, min_insync_replicas=in_sync)


class Committed(NamedTuple):
    """What the tracker's group remembers of a journal partition."""

    offset: int
    partitions: int
    incarnation: str
    """Drawn when the journal was first committed; a cache of another incarnation is worthless."""

    @property
    def metadata(self) -> str:
        """As it stands in the commit."""
        return f"{self.partitions};{self.incarnation}"


async def committed(admin: Any, group: str, tp: TopicPartition) -> Committed | None:
    """What a group has committed for a partition, or None."""
    found = (await admin.list_consumer_group_offsets(group, partitions=[tp])).get(tp)
    if found is None or found.offset < 0:
        return None
    partitions, _, incarnation = found.metadata.partition(";")
    return Committed(found.offset, int(partitions) if partitions.isdigit() else 0, incarnation)


async def open_journal(kafka: Kafka, settings: Settings, partitions: int) -> None:
    """Commit offset 0 for a journal that was never read, and refuse one whose place was lost.

    Raises:
        Misconfigured: The journal is not empty and its group has no offsets, or its partition count changed.
    """
    group, journal = f"{settings.kafka.group_id}.tracker", settings.topics.journal
    tps = [TopicPartition(journal, number) for number in range(partitions)]
    admin = await kafka.admin()
    reader = await kafka.member(group)
    try:
        reader.assign(tps)
        ends = await reader.end_offsets(tps)
        found = await admin.list_consumer_group_offsets(group, partitions=tps)
        fresh = {tp for tp in tps if found.get(tp) is None or found[tp].offset < 0}
        if lost := sorted(tp.partition for tp in fresh if ends[tp] > 0):
            raise Misconfigured(
                f"{journal} holds entries, but the group {group} has no offsets for its partitions {lost}: run"
                " `sms-bridge topics --adopt end` to go on from now, or `--adopt start` to read it all again"
            )
        for tp in set(tps) - fresh:
            counted = found[tp].metadata.partition(";")[0]
            if counted.isdigit() and int(counted) != partitions:
                raise Misconfigured(
                    f"{journal} had {counted} partitions and has {partitions} now, which moves keys; restore it"
                )
        if fresh:
            metadata = Committed(0, partitions, uuid4().hex).metadata
            await reader.commit({tp: OffsetAndMetadata(0, metadata) for tp in fresh})
    finally:
        await stopped(reader.stop(), "consumer")
        await stopped(admin.close(), "admin client")
