"""Reads the settings of topics. What Kafka can't tell yet is asked for again; what it won't tell is missing."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

import structlog
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, for_code

from bridge.kafka.retry import is_transient

ATTEMPTS, PAUSE_SECONDS = 100, 0.1
"""How often it is asked, and the time between two attempts."""

log = structlog.get_logger(__name__)


async def read_configs(
    admin: Any, names: Iterable[str], warn: Callable[..., object] = log.warning
) -> dict[str, dict[str, str]]:
    """Read the settings of topics, by their names.

    Args:
        admin: A started admin client.
        names: The topics.
        warn: Logs which settings may not be read.

    Raises:
        KafkaError: Kafka can't tell at the moment. Going by defaults would be wrong: the true settings, once they are
            read, would seem to have changed.
    """
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    for attempt in range(1, ATTEMPTS + 1):
        try:
            responses = await admin.describe_configs(resources)
            return _parse(responses, warn)
        except KafkaError as error:
            if not is_transient(error):
                warn("topic configs can't be read; they are not checked", error=type(error).__name__)
                return {}
            if attempt == ATTEMPTS:
                raise
        await asyncio.sleep(PAUSE_SECONDS)
    return {}


def _parse(responses: Iterable[Any], warn: Callable[..., object]) -> dict[str, dict[str, str]]:
    """Return the settings of all topics that have some; raise the first error that passes by itself."""
    resources = [resource for response in responses for resource in response.resources]
    for code, text, _kind, name, _entries in resources:
        if code and is_transient(error := for_code(code)(f"{name}: {text}")):
            raise error
    for code, _text, _kind, name, _entries in resources:
        if code:
            warn("topic configs can't be read; they are not checked", topic=name)
    return {
        name: {entry[0]: entry[1] for entry in entries} for code, _text, _kind, name, entries in resources if not code
    }
