"""The tutorial, typed line by line as a newcomer would, on a Kafka without any of the bridge's topics."""

import json
import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import httpx
import pytest
import pytest_asyncio

from tests.support.documentation.blocks import blocks, commands
from tests.support.documentation.installation import shell
from tests.support.documentation.shell import Shell
from tests.support.paths import DOCS
from tests.support.ports import find_free_ports
from tests.support.service.fleet import Fleet
from tests.support.service.topics import Topics
from tests.support.waiting import wait_until

LINES = [command for block in blocks("console") if block.page == "docs/tutorial.md" for command in commands(block)]
ATTEMPT = ("dexatel", "default", "0af6c2")


class Beginner:
    """Somebody who follows the tutorial."""

    def __init__(self, at: Shell, topics: Topics, client: httpx.AsyncClient, stack: AsyncExitStack) -> None:
        self.at, self.topics = at, topics
        self.printed: dict[str, str] = {}
        self._client, self._stack = client, stack

    async def type_all(self) -> None:
        """Type every line; the bridge keeps running, as in the first terminal."""
        for command in LINES:
            name = " ".join(command.words[:2])
            if name == "sms-bridge run":
                await self._stack.enter_async_context(self.at.typed(command.text))
                await wait_until(self._ready, 60, lambda: "the bridge isn't ready")
            elif command.words[0] != "kcat" or shutil.which("kcat"):
                said = await self.at.type(command.text)
                assert said.code == 0, (command, said)
                self.printed[name] = said.out
            if "status=delivered" in command.text:
                await self.topics.wait_until(lambda: len(self.topics.story(*ATTEMPT)) > 1, "both events")

    async def _ready(self) -> bool:
        try:
            return (await self._client.get(self.at.real("http://localhost:9090/readyz"))).is_success
        except httpx.TransportError:
            return False


@pytest_asyncio.fixture(scope="module")
async def beginner(
    fleet: Fleet, client: httpx.AsyncClient, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Beginner]:
    """Somebody who has followed it."""
    async with fleet.topics() as topics, AsyncExitStack() as stack:
        public, admin = map(str, find_free_ports(2))
        settings = topics.settings | {"HTTP__PORT": public, "ADMIN__PORT": admin}
        at = await shell(tmp_path_factory.mktemp("tutorial"), topics, settings)
        one = Beginner(at, topics, client, stack)
        await one.type_all()
        yield one


async def test_the_message_arrives(beginner: Beginner) -> None:
    """Both statuses are published, and what the page says of the last one is true."""
    [sent, delivered] = [event.document for event in beginner.topics.story(*ATTEMPT)]
    assert (sent["status"], delivered["status"]) == ("sent", "delivered")
    assert '`delivered` with `"final":true`' in (DOCS / "tutorial.md").read_text()
    assert delivered["final"] is True


async def test_trace_and_kcat_show_it(beginner: Beginner) -> None:
    """The two commands of the last step."""
    assert "final: delivered" in beginner.printed["sms-bridge trace"]
    if "kcat -C" not in beginner.printed:
        pytest.skip("no kcat on this machine (Debian: apt-get install kafkacat)")
    statuses = [json.loads(line)["status"] for line in beginner.printed["kcat -C"].splitlines()]
    assert statuses == ["sent", "delivered"]
