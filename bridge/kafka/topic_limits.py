"""What the bridge's topics take, read from their settings at the start; what can't work is refused there. Pure."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import structlog

from bridge.core.errors import ConfigurationError
from bridge.settings.model import TopicSettings

DAY_MS = 86_400_000
MIN_DEAD_LETTER_BYTES = 16 * 1024
"""Least size of a record that the dead-letter topic has to take."""

DEFAULT_MAX_MESSAGE_BYTES = 1024 * 1024
"""Of a topic whose settings can't be read."""

TopicConfigs = Mapping[str, Mapping[str, str]]
"""The settings of topics, by name; without those that can't be read."""

log = structlog.get_logger(__name__)


class TopicLimits(NamedTuple):
    """What the topics have and take, as far as it matters to their writers."""

    journal_partitions: int
    delivery_partitions: int
    latest_partitions: int
    """0 when there is no such topic."""
    dead_letter_partitions: int
    dead_letter_max_bytes: int
    journal_max_bytes: int
    max_message_bytes: int
    """`max.message.bytes` of all topics but the dead letters', the smallest."""
    max_event_age_ms: int | None
    """How old the timestamps of events' records may be; None: as old as they are."""
    tombstone_retention_ms: int
    """`delete.retention.ms` of the state topic."""

    @property
    def fixed(self) -> tuple[int | None, ...]:
        """What can't change while a process runs: there is nothing else to do with what these topics refuse."""
        return self.dead_letter_max_bytes, self.journal_max_bytes, self.max_event_age_ms


def read_limits(topics: TopicSettings, described: Mapping[str, Any], configs: TopicConfigs) -> TopicLimits:
    """Read what the topics take.

    Args:
        topics: What the topics are called.
        described: Their partitions, by name.
        configs: Their settings.
    """
    sizes = [_read_max_message_bytes(configs, name) for name in described if name != topics.dead_letter]
    return TopicLimits(
        journal_partitions=len(described[topics.journal]["partitions"]),
        delivery_partitions=len(described[topics.delivery]["partitions"]),
        latest_partitions=len(described[topics.latest]["partitions"]) if topics.latest else 0,
        dead_letter_partitions=len(described[topics.dead_letter]["partitions"]),
        dead_letter_max_bytes=_read_max_message_bytes(configs, topics.dead_letter),
        journal_max_bytes=_read_max_message_bytes(configs, topics.journal),
        max_message_bytes=min(sizes),
        max_event_age_ms=_read_max_event_age(configs, topics),
        tombstone_retention_ms=int(configs.get(topics.state, {}).get("delete.retention.ms", DAY_MS)),
    )


def _read_max_message_bytes(configs: TopicConfigs, name: str) -> int:
    return int(configs.get(name, {}).get("max.message.bytes", DEFAULT_MAX_MESSAGE_BYTES))


def _read_max_event_age(configs: TopicConfigs, topics: TopicSettings) -> int | None:
    names = ("message.timestamp.before.max.ms", "message.timestamp.difference.max.ms")
    found = [
        int(configs[topic][name])
        for topic in (topics.delivery, topics.latest)
        for name in names
        if name in configs.get(topic, {})
    ]
    age = min(found, default=2**63)
    return age if age < 2**62 else None


def warn_of_unwise(topics: TopicSettings, described: Mapping[str, Any], configs: TopicConfigs) -> None:
    """Log which topics may lose data, or take less than usual."""
    small = [name for name in described if _read_max_message_bytes(configs, name) < DEFAULT_MAX_MESSAGE_BYTES]
    if small := [name for name in small if name != topics.dead_letter]:
        log.warning("topics take only small messages; larger sent events become dead letters", topics=small)
    if weak := [name for name, topic in described.items() if _is_weak(topic, configs.get(name, {}))]:
        log.warning(
            "topics can lose data with one broker: fewer than 3 replicas or min.insync.replicas below 2", topics=weak
        )


def refuse_unfit(topics: TopicSettings, described: Mapping[str, Any], configs: TopicConfigs) -> None:
    """Check that the topics are as they must be.

    Raises:
        ConfigurationError: One of them isn't.
    """
    journal, state = (len(described[name]["partitions"]) for name in (topics.journal, topics.state))
    if journal != state:
        raise ConfigurationError(
            f"{topics.journal} has {journal} partitions and {topics.state} has {state}: they must be the same number"
        )
    for name, harm in ((topics.journal, "loses reports"), (topics.dead_letter, "takes no letter without a key")):
        if "compact" in configs.get(name, {}).get("cleanup.policy", "delete"):
            raise ConfigurationError(f"{name} is compacted, which {harm}; set its cleanup.policy to delete")
    policy = configs.get(topics.state, {}).get("cleanup.policy", "compact")
    if policy != "compact":
        raise ConfigurationError(
            f"{topics.state} has cleanup.policy={policy} and would forget messages; set cleanup.policy to compact"
        )
    size = _read_max_message_bytes(configs, topics.dead_letter)
    if size < MIN_DEAD_LETTER_BYTES:
        raise ConfigurationError(
            f"{topics.dead_letter} takes {size} bytes a record; set its max.message.bytes to"
            f" {MIN_DEAD_LETTER_BYTES} or more"
        )


def _is_weak(topic: Any, config: Mapping[str, str]) -> bool:
    replicas = min(len(partition["replicas"]) for partition in topic["partitions"])
    return replicas < 3 or int(config.get("min.insync.replicas", "2")) < 2  # noqa: PLR2004 - to lose only a broker
