"""Fixtures: one Kafka for the whole run, and unique names. A pytest plugin."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio

from bridge.sandbox.kafka.broker import sandbox
from tests.support.kafka.shared import SharedKafka, ask_for_kafka

SHARED = pytest.StashKey[SharedKafka]()
PORT = "shared_kafka_port"


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a pytest-xdist worker where to request the Kafka."""
    stash = node.config.stash
    if SHARED not in stash:
        stash[SHARED] = SharedKafka()
    node.workerinput[PORT] = stash[SHARED].port


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the workers' Kafka."""
    if shared := config.stash.get(SHARED, None):
        shared.stop()


@pytest_asyncio.fixture(scope="session")
async def kafka(request: pytest.FixtureRequest) -> AsyncIterator[str]:
    """Bootstrap servers of a real Kafka: the environment's, or one broker for the whole run.

    Other tests and workers share it, so topics, groups and transactional ids start with `unique`.
    """
    worker: dict[str, int] = getattr(request.config, "workerinput", {})
    if PORT in worker:
        yield await ask_for_kafka(worker[PORT])
        return
    async with sandbox() as bootstrap_servers:
        yield bootstrap_servers


@pytest.fixture
def unique() -> str:
    """A prefix for names on a shared Kafka, different for each test."""
    return f"test-{uuid4().hex[:12]}"
