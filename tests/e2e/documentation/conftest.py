"""Fixtures of the documentation's tests: installations for trying the pages."""

from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

from tests.support.documentation.blocks import commands
from tests.support.documentation.installation import (
    CALLBACKS_ONLY,
    MENDED,
    SECRETS,
    STORIES,
    Newcomer,
    World,
    block,
    misread,
    report,
    shell,
    story,
)
from tests.support.documentation.shell import Shell
from tests.support.ports import find_free_ports
from tests.support.service.bridge import Bridge
from tests.support.service.command import Said
from tests.support.service.fleet import Fleet


@pytest_asyncio.fixture(scope="session")
async def newcomer(
    fleet: Fleet, client: httpx.AsyncClient, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Newcomer]:
    """The README's first steps in a clean shell; after a message has passed, Ctrl-C."""
    async with fleet.topics() as topics:
        public, admin = map(str, find_free_ports(2))
        here = {"HTTP__PORT": public, "ADMIN__PORT": admin}
        at = await shell(tmp_path_factory.mktemp("newcomer"), topics, topics.settings | here)
        said: dict[str, Said] = {}
        for command in commands(block("README.md", "Run it")):
            if command.words[:2] == ["sms-bridge", "run"]:
                said[command.text] = await at.interrupted(command.text, lambda _: story(at, topics, client))
            else:
                said[command.text] = await at.type(command.text)
        yield Newcomer(at, topics, said)


@pytest_asyncio.fixture(scope="session")
async def world(
    fleet: Fleet, client: httpx.AsyncClient, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[World]:
    """A bridge with the messages that the pages mention. One provider is configured as in *Adding a provider*."""
    async with fleet.topics() as topics:
        folder = tmp_path_factory.mktemp("world")
        settings = Shell(folder, CALLBACKS_ONLY, {})
        for command in commands(block("docs/adding-a-provider.md", "By settings")):
            assert (await settings.type(command.text)).code == 0
        async with fleet.running(topics.settings | settings.settings) as service:
            bridge = Bridge(service, topics, client, SECRETS)
            for one, (recipient, words) in STORIES.items():
                await bridge.send_and_wait(one, recipient=recipient)
                for word in words:
                    assert await report(bridge, one, word) == 200
                await bridge.events(one, len(words))
            await misread(bridge)
            yield World(bridge, await shell(folder, topics, service.settings | MENDED))
