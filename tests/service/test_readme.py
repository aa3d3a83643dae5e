"""What the README tells a newcomer to type, typed: on a real Kafka, with nothing changed but where things are."""

import asyncio
import re
import shlex
import subprocess
import sys
from pathlib import Path

import httpx

from bridge.sandbox.broker import free_ports
from tests.service.harness.bridge import Bridge, message
from tests.service.harness.fleet import Fleet
from tests.service.harness.process import PREFIX, environment

README = (Path(__file__).parents[2] / "README.md").read_text()
WITHIN = 60


def lines(section: str) -> list[str]:
    """What stands after the prompts of a section's first block."""
    [text] = re.findall(rf"^## {re.escape(section)}\n(.*?)^## ", README, re.MULTILINE | re.DOTALL)
    block = re.findall(r"^```console\n(.*?)^```", text, re.MULTILINE | re.DOTALL)[0]
    return [line.removeprefix("$ ") for line in block.splitlines()]


def exported(commands: list[str]) -> dict[str, str]:
    """The settings that a shell has after them."""
    script = "\n".join(["set -eu", *commands, "env -0"])
    out = subprocess.run(["/bin/bash", "-c", script], capture_output=True, check=True, env={"PATH": "/usr/bin:/bin"})  # noqa: S603 - the README's own
    pairs = (line.split("=", 1) for line in out.stdout.decode().split("\0") if line.startswith(PREFIX))
    return {name.removeprefix(PREFIX): value for name, value in pairs}


async def typed(words: list[str], settings: dict[str, str]) -> tuple[int, str]:
    """Run one of our commands: exit code and output."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", "from bridge.cli import main; main()", *words),
        env=environment(settings),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(WITHIN):
        out, _ = await process.communicate()
    return process.returncode or 0, out.decode()


async def test_the_readme_leads_to_a_running_bridge_and_to_a_message_s_story(
    fleet: Fleet, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    """Its exports are enough; `check` finds nothing wrong; each of its `trace` lines finds the message."""
    commands = lines("Run it")
    assert [shlex.split(line, comments=True)[0] for line in commands[-2:]] == ["sms-bridge"] * 2
    told = await asyncio.to_thread(exported, commands[:-2])
    assert set(told) == {"KAFKA__BOOTSTRAP_SERVERS", "DEXATEL__CALLBACK_SECRETS", "DEXATEL__POLL"}
    async with fleet.topics() as topics:
        settings = {**told, **topics.settings}
        assert told.keys() - topics.settings.keys() == {"DEXATEL__CALLBACK_SECRETS", "DEXATEL__POLL"}
        public, admin = free_ports(2)
        where = {"STATE__DIRECTORY": str(tmp_path), "HTTP__PORT": str(public), "ADMIN__PORT": str(admin)}
        async with fleet.running(settings) as service:
            secret = {("dexatel", "default"): told["DEXATEL__CALLBACK_SECRETS"]}
            bridge = Bridge(service, topics, client, secret)
            one = message(message_id="order-4711", provider_message_id="785a9b0f-05b5-4d06")
            await bridge.followed(one, recipient="+447700900123")
            await bridge.tell(one, "sent", "delivered")
            await bridge.events(one, 2)
            code, out = await typed(shlex.split(commands[-2], comments=True)[1:], settings | where)
            assert code == 0, out
            stories = [line for line in lines("What happened to message X?") if " trace " in line]
            assert len(stories) == 3
            for line in stories:
                code, out = await typed(shlex.split(line, comments=True)[1:], settings | where)
                assert (code, "order-4711" in out, "delivered" in out) == (0, True, True), out
