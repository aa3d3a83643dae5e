"""The bridge's topics: what they should be, what they are, and how missing ones are created."""

import asyncio
import random
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import structlog
from aiokafka.admin import NewTopic
from aiokafka.errors import (
    InvalidConfigurationError,
    KafkaError,
    PolicyViolationError,
    TopicAlreadyExistsError,
    for_code,
)

from bridge.concurrency import stop_with_timeout
from bridge.core.errors import ConfigurationError
from bridge.kafka.broker_versions import refuse_old_brokers
from bridge.kafka.clients import KafkaClients
from bridge.kafka.errors import format_error
from bridge.kafka.topic_configs import read_configs
from bridge.kafka.topic_limits import (
    TopicConfigs,
    TopicLimits,
    read_limits,
    refuse_unfit,
    warn_of_unwise,
)
from bridge.kafka.topic_plans import OPTIONAL, TopicPlan, leave_out_optional, plan_topics
from bridge.settings.model import PREFIX, TopicSettings

REFUSALS_OF_CONFIG = (PolicyViolationError, InvalidConfigurationError)

WATCH_INTERVAL_SECONDS = (20.0, 40.0)
"""Between two looks at the topics: at least, at most."""

log = structlog.get_logger(__name__)


class TopicStatus(NamedTuple):
    """A topic as it should be, and as it is."""

    plan: TopicPlan
    partitions: int
    """0 when it is missing."""
    policy: str
    """Its clean-up policy, or empty when it may not be read."""
    config: Mapping[str, str]
    """All its settings; empty when they may not be read."""
    replicas: int
    """Of the partition that has the fewest."""


async def inspect_topics(kafka: KafkaClients, topics: TopicSettings, *, apply: bool) -> list[TopicStatus]:
    """Look at the bridge's topics.

    Args:
        kafka: The cluster.
        topics: What the topics are called.
        apply: Create what is missing.

    Raises:
        ConfigurationError: Kafka doesn't let us look, or create.
    """
    admin = await kafka.admin()
    try:
        existing = set(await admin.list_topics())
        wanted = plan_topics(topics)
        if apply:
            await _create(admin, [plan for plan in wanted if plan.name not in existing], topics.replication)
            existing |= {plan.name for plan in wanted}
        described = {t["topic"]: t for t in await _describe(admin, [p.name for p in wanted if p.name in existing])}
        configs = await read_configs(admin, described)
    except KafkaError as error:
        raise ConfigurationError(f"Kafka's topics can't be read: {format_error(error)}") from error
    finally:
        await stop_with_timeout(admin.close(), "admin client")
    return [
        TopicStatus(
            plan,
            len(described[plan.name]["partitions"]) if plan.name in described else 0,
            configs.get(plan.name, {}).get("cleanup.policy", ""),
            configs.get(plan.name, {}),
            min((len(p["replicas"]) for p in described[plan.name]["partitions"]), default=0)
            if plan.name in described
            else 0,
        )
        for plan in wanted
    ]


async def prepare_topics(kafka: KafkaClients, topics: TopicSettings, *, create: bool) -> TopicLimits:
    """Create what is missing, refuse what can't work, warn of what is unwise.

    Raises:
        ConfigurationError: A broker is too old, `sms.sent` is missing, or one of the bridge's topics is not as it must
            be.
    """
    admin = await kafka.admin()
    try:
        await refuse_old_brokers(admin)
        return await _prepare(kafka, admin, topics, create=create)
    except KafkaError as error:
        raise ConfigurationError(f"Kafka's topics can't be prepared: {format_error(error)}") from error
    finally:
        await stop_with_timeout(admin.close(), "admin client")


async def fetch_limits(kafka: KafkaClients, topics: TopicSettings) -> TopicLimits:
    """Read what the topics take, and go by it: for commands that write to topics which a process has prepared.

    Raises:
        ConfigurationError: One of them is missing, or may not be described.
        KafkaError: There is no answer.
    """
    admin = await kafka.admin()
    try:
        described = await _describe_all(admin, topics)
        limits = read_limits(topics, described, await read_configs(admin, described))
    finally:
        await stop_with_timeout(admin.close(), "admin client")
    kafka.limit_batches(limits.max_message_bytes)
    return limits


async def watch_topics(kafka: KafkaClients, topics: TopicSettings, limits: TopicLimits) -> None:
    """Look at the topics from time to time, until one takes records of other sizes or ages than at the start.

    Every part goes by the limits of its start, and would try for ever what a topic no longer takes.

    Raises:
        ConfigurationError: What the topics take has changed.
    """
    while True:
        await asyncio.sleep(random.uniform(*WATCH_INTERVAL_SECONDS))  # noqa: S311 - not all processes end at once
        found = await _look(kafka, topics)
        if found is None:
            continue
        try:
            refuse_unfit(topics, *found)
        except ConfigurationError as error:
            log.warning("the topics have changed, and the next start will be refused", error=str(error))
            continue
        if read_limits(topics, *found).fixed != limits.fixed:
            raise ConfigurationError("what the topics take has changed; started again, the bridge goes by it")


async def _look(kafka: KafkaClients, topics: TopicSettings) -> tuple[Mapping[str, Any], TopicConfigs] | None:
    """Describe the topics; None if not all of it can be read now."""
    try:
        admin = await kafka.admin()
    except ConfigurationError:
        return None
    try:
        described = await _describe_all(admin, topics)
        configs = await read_configs(admin, described, log.debug)
    except (KafkaError, OSError, ConfigurationError):
        return None
    finally:
        await stop_with_timeout(admin.close(), "admin client")
    return (described, configs) if configs.keys() >= described.keys() else None


async def _prepare(kafka: KafkaClients, admin: Any, topics: TopicSettings, *, create: bool) -> TopicLimits:
    wanted = plan_topics(topics)
    existing = set(await admin.list_topics())
    for name in topics.sent:
        if name not in existing:
            raise ConfigurationError(f"{PREFIX}TOPICS__SENT: the topic {name!r} is missing; its owner has to create it")
    missing = [plan for plan in wanted if plan.name not in existing]
    if missing and not create:
        names = ", ".join(plan.name for plan in missing)
        raise ConfigurationError(f"{PREFIX}KAFKA__CREATE_TOPICS is false and these topics are missing: {names}")
    await _create(admin, missing, topics.replication)
    described = await _describe_all(admin, topics)
    configs = await read_configs(admin, described)
    refuse_unfit(topics, described, configs)
    warn_of_unwise(topics, described, configs)
    limits = read_limits(topics, described, configs)
    kafka.limit_batches(limits.max_message_bytes)
    return limits


async def _create(admin: Any, missing: Iterable[TopicPlan], replication: int) -> None:
    plans = list(missing)
    if not plans:
        return
    refused = await _try_to_create(admin, plans, replication)
    again = [leave_out_optional(plan) for plan in plans if refused.get(plan.name, (None, ""))[0] in REFUSALS_OF_CONFIG]
    if again:
        log.warning(
            "the cluster refuses settings of topics; creating these topics without the optional ones",
            topics={plan.name: refused.pop(plan.name)[1] for plan in again},
            left_out=sorted(OPTIONAL),
        )
        refused |= await _try_to_create(admin, again, replication)
    for name, (error, text) in refused.items():
        config = next(plan.config for plan in plans if plan.name == name)
        raise ConfigurationError(
            f"the topic {name!r} can't be created: {error.__name__} {text}; create it yourself with {dict(config)}, or"
            f" set {PREFIX}TOPICS__CONFIG"
        )
    log.info("topics created", topics=[plan.name for plan in plans])


async def _try_to_create(
    admin: Any, plans: Iterable[TopicPlan], replication: int
) -> dict[str, tuple[type[Exception], str]]:
    """Create topics, and return the error and its text of those that are refused."""
    new = [NewTopic(plan.name, plan.partitions, 1, topic_configs=dict(plan.config)) for plan in plans]
    for topic in new:
        # -1, the broker's default, is what the client's constructor takes for "assignments follow".
        topic.replication_factor = replication
    response = await admin.create_topics(new)
    # Another replica may have created it at the same time.
    errors = {name: (for_code(code), text[0] if text else "") for name, code, *text in response.topic_errors if code}
    return {name: at for name, at in errors.items() if at[0] is not TopicAlreadyExistsError}


async def _describe_all(admin: Any, topics: TopicSettings) -> dict[str, Any]:
    return {topic["topic"]: topic for topic in await _describe(admin, [plan.name for plan in plan_topics(topics)])}


async def _describe(admin: Any, names: list[str]) -> list[Any]:
    """Describe topics; after a creation it may take a moment until every broker knows the topic."""
    for _ in range(100):
        described: list[Any] = await admin.describe_topics(names)
        if all(topic["error_code"] == 0 and topic["partitions"] for topic in described):
            return described
        await asyncio.sleep(0.1)
    raise ConfigurationError(f"Kafka doesn't describe these topics: {', '.join(names)}; are the ACLs set?")
