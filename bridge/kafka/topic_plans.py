"""The bridge's topics as they should be when they are created. Pure."""

from collections.abc import Mapping
from typing import NamedTuple

from bridge.kafka.topic_limits import DAY_MS
from bridge.settings.model import TopicSettings

DEAD_LETTER_PARTITIONS = 3
MAX_DEAD_LETTER_BYTES = 8 * 1024 * 1024
"""Dead letters hold what was too large elsewhere."""

OPTIONAL = frozenset({"segment.ms", "max.message.bytes"})
"""Settings of topics that only make something better, so that a cluster which refuses them can do without."""


class TopicPlan(NamedTuple):
    """A topic as it should be."""

    name: str
    partitions: int
    config: Mapping[str, str]


def plan_topics(topics: TopicSettings) -> tuple[TopicPlan, ...]:
    """The topics that the bridge creates; never the ones that it only reads."""
    return tuple(plan._replace(config=_overrule(plan, topics.config)) for plan in _plan_topics(topics))


def _overrule(plan: TopicPlan, configs: Mapping[str, Mapping[str, str | None]]) -> dict[str, str]:
    config = {**plan.config, **configs.get(plan.name, {})}
    return {name: value for name, value in config.items() if value is not None}


def _plan_topics(topics: TopicSettings) -> tuple[TopicPlan, ...]:
    two_weeks = {"cleanup.policy": "delete", "retention.ms": str(14 * DAY_MS)}
    view = TopicPlan(topics.latest, topics.delivery_partitions, {"cleanup.policy": "compact"})
    return (
        TopicPlan(
            topics.journal,
            topics.journal_partitions,
            {
                "cleanup.policy": "delete",
                "retention.ms": str(7 * DAY_MS),
                # The broker's clock, one for all replicas, says when an entry was learnt.
                "message.timestamp.type": "LogAppendTime",
            },
        ),
        TopicPlan(topics.state, topics.journal_partitions, {"cleanup.policy": "compact", "segment.ms": "3600000"}),
        TopicPlan(topics.delivery, topics.delivery_partitions, two_weeks),
        *([view] if topics.latest else []),
        TopicPlan(
            topics.dead_letter, DEAD_LETTER_PARTITIONS, {**two_weeks, "max.message.bytes": str(MAX_DEAD_LETTER_BYTES)}
        ),
    )


def leave_out_optional(plan: TopicPlan) -> TopicPlan:
    """Leave out the settings that a topic can do without."""
    return plan._replace(config={name: value for name, value in plan.config.items() if name not in OPTIONAL})
