"""What every test may ask for: one Kafka for the whole run, and names that no other test uses."""

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
import pytest_asyncio

from bridge.sandbox.kafka.broker import sandbox


@pytest_asyncio.fixture(scope="session")
async def kafka() -> AsyncIterator[str]:
    """Bootstrap servers of a real Kafka: the environment's, or one broker that lives as long as the run.

    Other runs may share the environment's, so topics, groups and transactional ids start with `unique`.
    """
    async with sandbox() as bootstrap_servers:
        yield bootstrap_servers


@pytest.fixture
def unique() -> str:
    """A prefix for names on a shared Kafka, another one for each test."""
    return f"test-{uuid4().hex[:12]}"
