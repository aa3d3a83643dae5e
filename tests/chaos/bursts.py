"""Callbacks in bursts: what a provider already told, again, out of order and ten times as fast, each with a mark."""

import asyncio
import random
import time
from collections.abc import Mapping

import aiohttp

from bridge.sandbox.simulator.server import Simulator
from tests.chaos.ledger import Ledger

CALLERS = 48
LONGEST = 30.0
"""Seconds that a burst lasts at the most, where few of its callbacks are taken."""
SKEW = 900
"""Seconds by which the provider's clock may be wrong."""

RECENT = 2_000
"""From among how many of the latest messages those are drawn that a burst is about."""


async def burst(
    count: int, providers: Mapping[str, Simulator], urls: Mapping[str, str], ledger: Ledger, chance: random.Random
) -> int:
    """Repeat callbacks; the ledger is told of each that was accepted.

    Args:
        count: How many.
        providers: Who knows what was told.
        urls: Where each one's callbacks go.
        ledger: Is told of every 200.
        chance: Settles which.

    Returns:
        How many were accepted.
    """
    words = _words(count, providers, chance)
    asyncio.get_running_loop().call_later(LONGEST, words.clear)
    timeout = aiohttp.ClientTimeout(15)
    async with aiohttp.ClientSession(timeout=timeout) as client, asyncio.TaskGroup() as group:
        calls = [group.create_task(_call(client, words, urls, ledger, chance)) for _ in range(CALLERS)]
    return sum(call.result() for call in calls)


def _words(count: int, providers: Mapping[str, Simulator], chance: random.Random) -> list[tuple[str, str, str]]:
    """Provider, id and a word that the provider tells of it; one that it never calls about must come by a poll."""
    fates = [fate for simulator in providers.values() for fate in list(simulator.truth.values())[-RECENT:]]
    told = [(fate.provider, fate.provider_message_id, call.step.word) for fate in fates for call in fate.calls]
    return [chance.choice(told) for _ in range(count)] if told else []


async def _call(
    client: aiohttp.ClientSession,
    words: list[tuple[str, str, str]],
    urls: Mapping[str, str],
    ledger: Ledger,
    chance: random.Random,
) -> int:
    accepted = 0
    while words:
        provider, provider_message_id, word = words.pop()
        mark = f"mark-{chance.getrandbits(64):016x}"
        try:
            if provider == "dexatel":
                query = {"message_uuid": provider_message_id, "status": word, "mark": mark, "timestamp": _clock(chance)}
                answer = await client.get(urls[provider], params=query)
            else:
                body = {
                    "messageid": provider_message_id,
                    "description": word,
                    "mark": mark,
                    "timestamp": _clock(chance),
                }
                answer = await client.post(urls[provider], json=body)
            answer.release()
            if answer.status == 200:
                accepted += 1
                ledger.accepted.add(mark)
        except (aiohttp.ClientError, TimeoutError, OSError):
            continue
    return accepted


def _clock(chance: random.Random) -> str:
    """The provider's time, by a clock that is minutes wrong, one way or the other."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(time.time() + chance.uniform(-SKEW, SKEW)))
