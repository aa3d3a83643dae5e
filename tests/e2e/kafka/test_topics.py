"""The created topics have the designed configuration."""

import asyncio
import json

from tests.support.kafka.topics import config_of, partitions_of
from tests.support.service.accounts import CALLBACKS_ONLY
from tests.support.service.bridge import Bridge
from tests.support.service.fleet import Fleet

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
