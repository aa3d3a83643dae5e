"""`tail` shows matching events live, and stops on a signal."""

import asyncio
import json
import re
import signal
from collections.abc import Mapping

import pytest

from tests.support.service.bridge import Bridge, message
from tests.support.service.command import WITHIN, ended, sms_bridge, started

Settings = Mapping[str, str]


async def test_tail_shows_matching_events(installation: Bridge, settings: Settings) -> None:
    """Filters by message, status and finality; each event as it is in the topic."""
    one, other = await installation.send_and_wait(), await installation.send_and_wait()
    begin = ("tail", "--from", "start", "--json", "--message-id", one.message_id)
    async with started(settings, *begin, "--final") as final, started(settings, *begin, "--status", "sent") as sent:
        await installation.report_all(other, "sent", "delivered")
        await installation.report_all(one, "sent", "delivered")
        events = await installation.events(one, 2)
        for process, event in ((sent, events[0]), (final, events[1])):
            assert process.stdout
            async with asyncio.timeout(WITHIN):
                assert json.loads(await process.stdout.readline()) == event.document
            assert await ended(process, signal.SIGINT) == 0
            assert await process.stdout.read() == b""


async def test_tail_starts_at_the_end(installation: Bridge, settings: Settings) -> None:
    """Earlier events are shown only for an earlier start time."""
    old, new = await installation.send_and_wait(), await installation.send_and_wait(message("speedocom"))
    await installation.report_all(old, "delivered")
    await installation.events(old)
    async with started(settings, "tail") as process:
        assert process.stderr
        assert process.stdout
        async with asyncio.timeout(WITHIN):
            assert b"Ctrl-C" in await process.stderr.readline()
            await installation.report_all(new, "DeliveredToTerminal")
            line = (await process.stdout.readline()).decode()
        assert new.message_id in line
        assert "delivered" in line
        assert await ended(process, signal.SIGTERM) == 0
    arguments = ("tail", "--from", "1h", "--provider", "dexatel", "--message-id", old.message_id, "--json")
    async with started(settings, *arguments) as process:
        assert process.stdout
        assert process.stderr
        async with asyncio.timeout(WITHIN):
            assert json.loads(await process.stdout.readline())["message_id"] == old.message_id
    async with started(settings, "tail", "--from", "1h") as process:
        assert process.stderr
        async with asyncio.timeout(WITHIN):
            assert re.search(rb"delivery, from 20\d\d-.+Z; Ctrl-C ends", await process.stderr.readline())


@pytest.mark.parametrize("arguments", [["--from", "once"], ["--status", "lost"]])
async def test_tail_usage_errors(settings: Settings, arguments: list[str]) -> None:
    """A wrong filter is a usage error."""
    assert (await sms_bridge(settings, "tail", *arguments)).code == 2


@pytest.mark.parametrize("command", ["tail", "replay"])
async def test_a_provider_that_is_not_configured_is_refused(settings: Settings, command: str) -> None:
    """Nothing would ever come of it."""
    said = await sms_bridge(settings, command, "--provider", "foo")
    assert (said.code, "--provider foo isn't configured; there is dexatel" in said.err) == (1, True)


async def test_simulator_handles_sigterm() -> None:
    """As PID 1 of a container it has no default handler, so it needs its own."""
    for number in (signal.SIGTERM, signal.SIGINT):
        async with started({}, "simulate", "speedocom", "--json") as process:
            assert process.stdout
            async with asyncio.timeout(WITHIN):
                assert json.loads(await process.stdout.readline())["url"].startswith("http://127.0.0.1:")
            assert await ended(process, number) == 0
