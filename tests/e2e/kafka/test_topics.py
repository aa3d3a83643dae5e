"""The created topics have the designed configuration."""

import asyncio
import json
from pathlib import Path

from tests.support.kafka.topics import config_of, partitions_of
from tests.support.service.accounts import CALLBACKS_ONLY
from tests.support.service.bridge import Bridge
from tests.support.service.fleet import Fleet
from tests.support.service.process import run_refused

DAY = 86_400_000


async def test_missing_topics_are_created(bridge: Bridge) -> None:
    """The created topics have the designed retention, compaction and timestamp settings."""
    topics = bridge.topics
    journal, state, delivery, dead = [
        await config_of(topics, name) for name in (topics.journal, topics.state, topics.delivery, topics.dead_letter)
    ]
    assert (journal["cleanup.policy"], journal["retention.ms"]) == ("delete", str(7 * DAY))
    assert journal["message.timestamp.type"] == "LogAppendTime"
    assert (state["cleanup.policy"], state["segment.ms"]) == ("compact", "3600000")
    assert (delivery["cleanup.policy"], delivery["retention.ms"]) == ("delete", str(14 * DAY))
    assert (dead["cleanup.policy"], dead["retention.ms"]) == ("delete", str(14 * DAY))
    counts = [
        await partitions_of(topics, name)
        for name in (topics.journal, topics.state, topics.delivery, topics.dead_letter)
    ]
    assert counts == [4, 4, 3, 3]


async def test_default_partition_counts(fleet: Fleet) -> None:
    """Journal and state get 24 partitions, events 12, so that this many replicas can share the work."""
    async with fleet.topics() as topics:
        settings = {**topics.settings, **CALLBACKS_ONLY}
        del settings["TOPICS__JOURNAL_PARTITIONS"], settings["TOPICS__DELIVERY_PARTITIONS"]
        async with fleet.running(settings) as service:
            counts = [await partitions_of(topics, name) for name in (topics.journal, topics.state, topics.delivery)]
            assert counts == [24, 24, 12]
            warned = [line for line in service.log.splitlines() if json.loads(line)["level"] == "warning"]
            # With one broker there is one replica, which is logged as a warning.
            assert any(topics.journal in line for line in warned)


async def test_group_ids_have_the_prefix(bridge: Bridge) -> None:
    """All consumer groups start with the configured prefix, so that a prefixed ACL covers them."""
    topics = bridge.topics
    listed = await asyncio.wrap_future(topics.admin.list_consumer_groups())
    ours = {group.group_id for group in listed.valid if group.group_id.startswith(topics.group)}
    assert {f"{topics.group}.intake", f"{topics.group}.tracker"} <= ours
    assert all(group.startswith(f"{topics.group}.") for group in ours)


async def test_refused_settings_are_left_out(fleet: Fleet) -> None:
    """A cluster that refuses an optional setting still gets the topic; a setting may be the operator's own, or none."""
    async with fleet.topics() as topics:
        config = {
            topics.state: {"segment.ms": 0, "min.compaction.lag.ms": 1000},  # no broker takes a segment of 0 ms
            topics.journal: {"retention.ms": 9 * DAY, "message.timestamp.type": None},
        }
        settings = {**topics.settings, **CALLBACKS_ONLY, "TOPICS__CONFIG": json.dumps(config)}
        async with fleet.running(settings) as service:
            state, journal = [await config_of(topics, name) for name in (topics.state, topics.journal)]
            assert (state["cleanup.policy"], state["min.compaction.lag.ms"]) == ("compact", "1000")
            assert state["segment.ms"] == str(7 * DAY)  # the broker's own
            assert (journal["retention.ms"], journal["message.timestamp.type"]) == (str(9 * DAY), "CreateTime")
            lines = [json.loads(line) for line in service.log.splitlines()]
            [line] = [line for line in lines if "refuses settings" in line["event"]]
            assert "segment.ms" in line["topics"][topics.state]


async def test_refused_topic_is_named(fleet: Fleet, tmp_path: Path) -> None:
    """The one line has the topic, the broker's reason and both ways out."""
    async with fleet.topics() as topics:
        config = {topics.journal: {"retention.ms": -5}}
        settings = {**topics.settings, **CALLBACKS_ONLY, "TOPICS__CONFIG": json.dumps(config)}
        code, lines = await run_refused(settings, tmp_path / "bridge")
        assert code == 1
        [line] = lines
        assert topics.journal in line
        assert "retention.ms" in line
        assert "TOPICS__CONFIG" in line
