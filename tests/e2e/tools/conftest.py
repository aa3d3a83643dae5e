"""A running bridge for the commands, with its accounts, topics and settings."""

from collections.abc import AsyncIterator, Mapping

import httpx
import pytest
import pytest_asyncio

from tests.support.service.bridge import Bridge
from tests.support.service.fleet import Fleet
from tests.support.service.installation import BRIEF, SECRETS, installation_settings
from tests.support.service.providers import Providers


@pytest_asyncio.fixture(scope="session")
async def installation(fleet: Fleet, providers: Providers, client: httpx.AsyncClient) -> AsyncIterator[Bridge]:
    """The bridge that the commands inspect."""
    async with fleet.topics() as topics:
        settings = {**topics.settings, **installation_settings(providers.url), "FOLLOW__PARK_FOR": f"{BRIEF.seconds}s"}
        async with fleet.running(settings) as service:
            yield Bridge(service, topics, client, SECRETS)


@pytest.fixture
def settings(installation: Bridge) -> Mapping[str, str]:
    """The settings of the commands: the same as the service's."""
    return installation.service.settings
