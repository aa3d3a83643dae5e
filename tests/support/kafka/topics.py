"""A topic's configuration in Kafka."""

import asyncio

from confluent_kafka.admin import ConfigResource  # type: ignore[attr-defined]  # it means to export it

from tests.support.service.topics import Topics


async def config_of(topics: Topics, name: str) -> dict[str, str]:
    """Return a topic's configuration."""
    [future] = topics.admin.describe_configs([ConfigResource(ConfigResource.Type.TOPIC, name)]).values()
    return {key: entry.value for key, entry in (await asyncio.wrap_future(future)).items()}


async def partitions_of(topics: Topics, name: str) -> int:
    """Return a topic's number of partitions."""
    described = await asyncio.to_thread(topics.admin.list_topics, name, 10)
    return len(described.topics[name].partitions)
