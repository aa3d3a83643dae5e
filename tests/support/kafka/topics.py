"""A topic's configuration in Kafka."""

import asyncio

from confluent_kafka.admin import (  # type: ignore[attr-defined]  # it means to export them
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
)

from tests.support.service.topics import Topics
from tests.support.waiting import wait_until


async def config_of(topics: Topics, name: str) -> dict[str, str]:
    """Return a topic's configuration."""
    [future] = topics.admin.describe_configs([ConfigResource(ConfigResource.Type.TOPIC, name)]).values()
    return {key: entry.value for key, entry in (await asyncio.wrap_future(future)).items()}


async def set_config(topics: Topics, name: str, key: str, value: str) -> None:
    """Set one entry of a topic's configuration, and wait until the brokers say so."""
    entry = ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ConfigResource.Type.TOPIC, name, incremental_configs=[entry])
    [future] = topics.admin.incremental_alter_configs([resource]).values()
    await asyncio.wrap_future(future)

    async def is_set() -> bool:
        return (await config_of(topics, name))[key] == value

    await wait_until(is_set, 30, lambda: f"{name} has no {key}={value}")


async def partitions_of(topics: Topics, name: str) -> int:
    """Return a topic's number of partitions."""
    described = await asyncio.to_thread(topics.admin.list_topics, name, 10)
    return len(described.topics[name].partitions)
