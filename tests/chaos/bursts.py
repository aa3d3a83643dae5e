"""Bursts of callbacks: repeats what a provider reported, out of order and ten times as fast, each with a mark."""

import asyncio
import random
import time
from collections.abc import Mapping
from contextlib import suppress
from itertools import chain
from typing import NamedTuple

import aiohttp

from bridge.sandbox.simulator.server import Simulator
from tests.chaos.ledger import Ledger

CONCURRENCY = 48
MAX_BURST_SECONDS = 30.0
"""Ends a burst whose callbacks are mostly refused."""
MAX_CLOCK_ERROR_SECONDS = 900
"""How wrong the provider's clock may be."""
CALLBACK_TIMEOUT_SECONDS = 15

MAX_RECENT_MESSAGES = 2_000
"""A burst repeats callbacks of this many latest messages per provider."""


async def send_burst(
    count: int, providers: Mapping[str, Simulator], urls: Mapping[str, str], ledger: Ledger, rng: random.Random
) -> int:
    """Repeat callbacks, and return how many were accepted.

    Args:
        count: How many to send.
        providers: The simulators, which know the callbacks.
        urls: Each provider's callback URL.
        ledger: Records every accepted callback.
        rng: Chooses the callbacks.
    """
    reports = _choose_reports(count, providers, rng)
    asyncio.get_running_loop().call_later(MAX_BURST_SECONDS, reports.clear)
    timeout = aiohttp.ClientTimeout(CALLBACK_TIMEOUT_SECONDS)
    async with aiohttp.ClientSession(timeout=timeout) as client, asyncio.TaskGroup() as group:
        tasks = [group.create_task(_send_reports(client, reports, urls, ledger, rng)) for _ in range(CONCURRENCY)]
    return sum(task.result() for task in tasks)


async def send_strangers(count: int, url: str, ledger: Ledger, rng: random.Random) -> int:
    """Send callbacks about messages that nobody sent, and return how many were accepted."""
    waiting = [f"stranger-{rng.getrandbits(64):016x}" for _ in range(count)]
    asyncio.get_running_loop().call_later(MAX_BURST_SECONDS, waiting.clear)

    async def send(client: aiohttp.ClientSession) -> int:
        accepted = 0
        while waiting:
            stranger = waiting.pop()
            with suppress(aiohttp.ClientError, TimeoutError, OSError):
                response = await client.get(url, params={"message_uuid": stranger, "status": "delivered"})
                response.release()
                if response.status == 200:
                    accepted += 1
                    ledger.letters.strangers.add(stranger)
        return accepted

    timeout = aiohttp.ClientTimeout(CALLBACK_TIMEOUT_SECONDS)
    async with aiohttp.ClientSession(timeout=timeout) as client:
        return sum(await asyncio.gather(*(send(client) for _ in range(CONCURRENCY))))


class _Report(NamedTuple):
    provider: str
    provider_message_id: str
    provider_status: str


def _choose_reports(count: int, providers: Mapping[str, Simulator], rng: random.Random) -> list[_Report]:
    """Choose among the reports that the scenarios send by callback; those without a callback must come by a poll."""
    recent = [list(provider.scenarios.values())[-MAX_RECENT_MESSAGES:] for provider in providers.values()]
    reports = [
        _Report(scenario.provider, scenario.provider_message_id, callback.step.provider_status)
        for scenario in chain.from_iterable(recent)
        for callback in scenario.callbacks
    ]
    return [rng.choice(reports) for _ in range(count)] if reports else []


async def _send_reports(
    client: aiohttp.ClientSession,
    reports: list[_Report],
    urls: Mapping[str, str],
    ledger: Ledger,
    rng: random.Random,
) -> int:
    accepted = 0
    while reports:
        provider, provider_message_id, status = reports.pop()
        mark = f"mark-{rng.getrandbits(64):016x}"
        timestamp = _format_wrong_time(rng)
        try:
            if provider == "dexatel":
                query = {
                    "message_uuid": provider_message_id,
                    "status": status,
                    "mark": mark,
                    "timestamp": timestamp,
                }
                response = await client.get(urls[provider], params=query)
            else:
                body = {
                    "messageid": provider_message_id,
                    "description": status,
                    "mark": mark,
                    "timestamp": timestamp,
                }
                response = await client.post(urls[provider], json=body)
            response.release()
            if response.status == 200:
                accepted += 1
                ledger.accepted.add(mark)
        except (aiohttp.ClientError, TimeoutError, OSError):
            continue
    return accepted


def _format_wrong_time(rng: random.Random) -> str:
    """Format the provider's time by a clock that is minutes fast or slow."""
    return time.strftime(
        "%Y-%m-%d %H:%M:%S", time.gmtime(time.time() + rng.uniform(-MAX_CLOCK_ERROR_SECONDS, MAX_CLOCK_ERROR_SECONDS))
    )
