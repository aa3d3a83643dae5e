"""`check` of the bridge's topics: what their settings must be, as a table of rules."""

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from bridge.kafka.topic_limits import DEFAULT_MAX_MESSAGE_BYTES
from bridge.kafka.topics import TopicStatus
from bridge.settings.model import Settings
from bridge.tools.check_finding import CheckFinding, Level, ok

REPLICAS = 3

MIN_CLOCK_TOLERANCE_MS = 600_000
"""Least difference between a record's time and a broker's clock that a topic should take."""


class Rule(NamedTuple):
    """What a topic's config must be, and the finding when it isn't."""

    name: str
    holds: Callable[[str], bool]
    level: Level
    text: str
    remedy: str


def _must_delete(level: Level, text: str) -> Rule:
    return Rule("cleanup.policy", lambda policy: "compact" not in policy, level, text, "set delete")


def _must_compact(text: str) -> Rule:
    return Rule("cleanup.policy", lambda policy: policy == "compact", "wrong", text, "set compact")


def _must_stamp(kind: str, text: str) -> Rule:
    return Rule("message.timestamp.type", lambda stamp: stamp == kind, "warning", text, f"set {kind}")


def _must_allow_age(side: str) -> Rule:
    name, remedy = f"message.timestamp.{side}.max.ms", "raise it to an hour"
    return Rule(
        name, lambda age: int(age) >= MIN_CLOCK_TOLERANCE_MS, "warning", "refuses records of a wrong clock", remedy
    )


_COPIES = Rule(
    "min.insync.replicas",
    lambda text: int(text) > 1,
    "warning",
    "is below 2",
    "data may be lost with one broker; set 2",
)
_SIZE = Rule(
    "max.message.bytes",
    lambda text: int(text) >= DEFAULT_MAX_MESSAGE_BYTES,
    "warning",
    "turns larger sent events into dead letters",
    f"set {DEFAULT_MAX_MESSAGE_BYTES} or more",
)
_TIMES = (_must_allow_age("before"), _must_allow_age("after"))


def _make_rules(settings: Settings) -> Mapping[str, tuple[Rule, ...]]:
    topics, follow = settings.topics, settings.follow.max_follow
    retention = Rule("retention.ms", lambda t: not 0 <= int(t) < follow, "warning", "is below MAX_FOLLOW", "raise it")
    journal = (_must_delete("wrong", "loses reports"), _must_stamp("LogAppendTime", "isn't LogAppendTime"), retention)
    delivery = (_must_delete("warning", "loses statuses"), _must_stamp("CreateTime", "hides `observed_at`"))
    return {
        topics.journal: (*journal, _COPIES, _SIZE),
        topics.state: (_must_compact("forgets messages"), _COPIES, _SIZE, *_TIMES),
        topics.delivery: (*delivery, _COPIES, _SIZE, *_TIMES),
        topics.latest: (_must_compact("keeps no view"), _COPIES, _SIZE, *_TIMES),
        topics.dead_letter: (_must_delete("wrong", "takes no letter without a key"), _COPIES, *_TIMES),
    }


def check_topics(found: list[TopicStatus], settings: Settings) -> Iterator[CheckFinding]:
    """Compare the topics with the rules, a line for each thing."""
    rules = _make_rules(settings)
    for topic in found:
        name = topic.plan.name
        if not topic.partitions:
            yield _report_missing(name, may_create=settings.kafka.create_topics)
            continue
        yield ok("topics", name, f"{topic.partitions} partitions, {topic.policy or 'configs not readable'}")
        if not topic.config:
            yield CheckFinding("topics", "warning", name, "its configs can't be read", "allow DescribeConfigs on it")
        for rule in rules[name] if topic.config else ():
            value = topic.config.get(rule.name)
            if value is not None and not rule.holds(value):
                yield CheckFinding("topics", rule.level, name, f"{rule.name}={value} {rule.text}", rule.remedy)
        if topic.replicas and topic.replicas < REPLICAS:
            yield CheckFinding(
                "topics", "warning", name, f"replicas: {topic.replicas}", "data is lost with one broker; use 3"
            )
    journal, state = found[0], found[1]
    if journal.partitions and state.partitions and journal.partitions != state.partitions:
        counts = f"{journal.partitions} partitions and {state.plan.name} {state.partitions}"
        yield CheckFinding(
            "topics", "wrong", journal.plan.name, counts, "they must be the same; recreate the emptier one"
        )


def _report_missing(name: str, *, may_create: bool) -> CheckFinding:
    if may_create:
        return ok("topics", name, "missing; the service makes it when it starts")
    return CheckFinding(
        "topics", "wrong", name, "missing, and KAFKA__CREATE_TOPICS is false", "sms-bridge topics --apply"
    )
