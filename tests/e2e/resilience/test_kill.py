"""Processes are killed repeatedly, and every message still ends exactly once."""

import asyncio
import os
import sys
import time
from collections.abc import Sequence

import aiohttp
import pytest

from tests.support.service.accounts import CALLBACKS_ONLY, SECRETS
from tests.support.service.bridge import Message, message
from tests.support.service.fleet import Fleet
from tests.support.service.process import Service
from tests.support.service.topics import Topics

pytestmark = pytest.mark.long


FULL = "KILL_TEST_FULL"
WORDS = ("pending", "sent", "sent", "delivered", "delivered")
CALLERS = 32


class Caller:
    """A provider that repeats each callback until a replica accepts it.

    Args:
        replicas: Any of them may be down.
    """

    def __init__(self, replicas: Sequence[Service]) -> None:
        secret = SECRETS["dexatel", "default"]
        self._urls = [f"{replica.url}/dlr/dexatel/{secret}" for replica in replicas]
        self._turn = 0
        self.told = 0
        self.retried = 0

    async def tell(self, messages: Sequence[Message]) -> None:
        """Send all callbacks of these messages, many at a time."""
        queue = list(reversed(messages))
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(15)) as client, asyncio.TaskGroup() as group:
            for _ in range(CALLERS):
                group.create_task(self._work(client, queue))

    async def _work(self, client: aiohttp.ClientSession, queue: list[Message]) -> None:
        while queue:
            one = queue.pop()
            for word in WORDS:
                query = {"message_uuid": one.provider_message_id, "status": word}
                while not await self._taken(client, query):
                    self.retried += 1
                    await asyncio.sleep(0.1)
                self.told += 1

    async def _taken(self, client: aiohttp.ClientSession, query: dict[str, str]) -> bool:
        self._turn += 1
        try:
            async with client.get(self._urls[self._turn % len(self._urls)], params=query) as answer:
                return answer.status == 200
        except (aiohttp.ClientError, TimeoutError):
            return False


async def send(topics: Topics, messages: Sequence[Message]) -> None:
    """Publish the sent events, a few at a time."""
    for start in range(0, len(messages), 50):
        await topics.publish_all([one.sent() for one in messages[start : start + 50]])


async def kill(replicas: Sequence[Service], caller: Caller, topics: Topics, total: int, kills: int) -> None:
    """Kill one replica, the other, or both, and restart them at once.

    There are always events between two kills; otherwise the second would have no effect.
    """
    for number in range(1, kills + 1):
        goal, published = total * number // (kills + 1), len(topics.events) + 100
        await topics.wait_until(
            lambda goal=goal, published=published: caller.told >= goal and len(topics.events) >= published,  # type: ignore[misc]
            f"callbacks are taken and events published before kill {number}",
        )
        victims = replicas if number % 3 == 0 else [replicas[number % 2]]
        await asyncio.gather(*(victim.kill() for victim in victims))
        await asyncio.gather(*(victim.start(ready=False) for victim in victims))


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("count", "kills"),
    [
        pytest.param(1_000, 2, id="quick"),
        pytest.param(4_000, 5, id="full", marks=pytest.mark.skipif(FULL not in os.environ, reason=f"set {FULL}=1")),
    ],
)
async def test_replicas_killed_repeatedly(fleet: Fleet, count: int, kills: int) -> None:
    """A read_committed reader gets every event in order, without gap or duplicate, with one final event per message."""
    async with fleet.topics() as topics:
        replicas = [fleet.service({**topics.settings, **CALLBACKS_ONLY}) for _ in range(2)]
        try:
            await asyncio.gather(*(replica.start() for replica in replicas))
            messages, caller, started = [message() for _ in range(count)], Caller(replicas), time.monotonic()
            total = count * len(WORDS)
            await asyncio.gather(
                send(topics, messages), caller.tell(messages), kill(replicas, caller, topics, total, kills)
            )
            taken = time.monotonic() - started
            await topics.wait_until_folded()
            took = time.monotonic() - started
            stories = [[event["status"] for event in topics.story(*one.attempt)] for one in messages]
            odd = [story for story in stories if story != ["pending", "sent", "delivered"]]
            assert not odd, f"{len(odd)} of {count}, such as {odd[:5]}"
            assert len(topics.events) == 3 * count
            assert not topics.dead_letters
            assert caller.retried, "no kill was noticed: the test tests nothing"
            sys.stdout.write(
                f"{count} messages, {total} callbacks, {kills} kills: taken in {taken:.1f} s, all published after"
                f" {took:.1f} s; {caller.retried} calls repeated, {len(topics.entries)} journal entries\n"
            )
            # One that was killed last may still be starting: told to end by then, it would die of the signal.
            await asyncio.gather(*(replica.wait_until_ready() for replica in replicas))
            assert [await replica.stop() for replica in replicas] == [0, 0]
        finally:
            for replica in replicas:
                await replica.kill()
