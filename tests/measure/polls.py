"""How many polls a second one process makes, how late, at what cost: `python -m tests.measure.polls --rate 1500`.

A real Kafka, the real service, a simulator in a process of its own. Prints one line of JSON; no test depends on it.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path

import aiohttp

from bridge.sandbox.kafka.broker import sandbox
from bridge.sandbox.simulator.options import PARTNER_ID, TOKEN
from tests.support.service.fleet import Fleet
from tests.support.service.process import Service
from tests.support.service.topics import Topics

FIRST_AGE = 8
"""Seconds that publishing and taking in may last."""

POLLS = "sms_bridge_polls_completed_total"
LATENESS = "sms_bridge_poll_lateness"


@asynccontextmanager
async def simulator(provider: str, api: str) -> AsyncIterator[str]:
    """Yield a simulator's URL. It knows no message, so every answer is that there is no report."""
    process: Process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bridge", "simulate", provider, "--profile", "calm", "--api", api), stdout=PIPE
    )
    assert process.stdout
    try:
        yield (await process.stdout.readline()).decode().strip()
    finally:
        process.terminate()
        await process.wait()


def settings(provider: str, api: str, url: str, rate: int, seconds: int) -> Mapping[str, str]:
    """Return the settings of one account that is polled about each message once a second."""
    account = {
        "BASE_URL": url,
        "POLL": ",".join(f"{age}s" for age in range(FIRST_AGE, FIRST_AGE + seconds)),
        "POLL_CONCURRENCY": "256",
        "RATE_PER_SECOND": str(2 * rate),
        "GIVE_UP_AFTER": "3h",
        **(
            {"TOKEN": TOKEN, "POLL_PATH": "/dlr/{id}", "API": api}
            if provider == "dexatel"
            else {"API_KEY": TOKEN, "PARTNER_ID": PARTNER_ID}
        ),
    }
    return {f"{provider.upper()}__{name}": value for name, value in account.items()}


async def measured(service: Service, url: str, provider: str, rate: int, seconds: int) -> dict[str, object]:
    """Return the figures of the service and the simulator, from the first due poll to the last."""
    before, began = await service.read_samples(), time.monotonic()
    asked_before = await requests(url)
    await asyncio.sleep(seconds)
    after, took = await service.read_samples(), time.monotonic() - began
    requested = await requests(url) - asked_before

    def grown(name: str) -> float:
        return after.get(name, 0.0) - before.get(name, 0.0)

    done = sum(grown(name) for name in after if name.startswith(POLLS))
    failed = sum(grown(name) for name in after if name.startswith(POLLS) and "report" not in name)
    late = grown(f'{LATENESS}_count{{provider="{provider}"}}')
    buckets = {
        edge: round(grown(f'{LATENESS}_bucket{{le="{edge}",provider="{provider}"}}') / max(1, late), 4)
        for edge in ("0.1", "0.5", "1.0", "2.5", "5.0")
    }
    return {
        "wanted_per_second": rate,
        "polls_per_second": round(done / took),
        "requests_per_second": round(requested / took),
        "requests_per_1000_polls": round(1000 * requested / max(1, done)),
        "failed": round(failed),
        "share_not_later_than_s": buckets,
        "cpu_us_per_poll": round(1e6 * grown("process_cpu_seconds_total") / max(1, done)),
        "cpu_share": round(grown("process_cpu_seconds_total") / took, 2),
    }


async def requests(url: str) -> int:
    """Return how many requests the simulator has answered."""
    async with aiohttp.ClientSession() as client, client.get(f"{url}/counters") as response:
        counters: dict[str, int] = await response.json()
    return sum(count for name, count in counters.items() if name.startswith(("poll_", "page")))


async def backlog(topics: Topics, url: str, count: int) -> dict[str, object]:
    """Publish messages that were sent over the last hour, are all due, and have a final status at the provider."""
    now = time.time()
    places = [(f"id-{number}", now - 3600 + 3000 * number / count) for number in range(count)]
    async with aiohttp.ClientSession() as client:
        for name, at in places:
            async with client.post(f"{url}/submit", json={"id": name, "at": at}) as response:
                assert response.status == HTTPStatus.OK
    began, asked_before = time.monotonic(), await requests(url)
    await topics.publish_all(
        [
            {
                "message_id": f"m-{name}",
                "provider": "dexatel",
                "provider_message_id": name,
                "sent_at": datetime.fromtimestamp(at, UTC).isoformat(),
            }
            for name, at in places
        ]
    )
    await topics.wait_until(lambda: sum(e.document["final"] for e in topics.events) >= count, "all end", 90)
    requested = await requests(url) - asked_before
    return {
        "due": count,
        "seconds": round(time.monotonic() - began, 1),
        "requests": requested,
        "requests_per_1000_due": round(1000 * requested / count, 1),
    }


async def publish(topics: Topics, provider: str, rate: int) -> None:
    """Publish one message for each poll of a second, spread over that second."""
    now = time.time()
    sent = [datetime.fromtimestamp(now - 1 + number / rate, UTC).isoformat() for number in range(rate)]
    await topics.publish_all(
        [
            {"message_id": f"m-{n}", "provider": provider, "provider_message_id": f"id-{n}", "sent_at": at}
            for n, at in enumerate(sent)
        ]
    )


async def main(provider: str, api: str, rate: int, seconds: int, due: int) -> None:
    """Measure once and print the result."""
    async with sandbox() as kafka, simulator(provider, api) as url:
        with tempfile.TemporaryDirectory() as folder:
            fleet = Fleet(kafka, Path(folder))
            async with fleet.topics() as topics:
                given = {**topics.settings, **settings(provider, api, url, rate, seconds + 10)}
                async with fleet.running(given) as service:
                    if due:
                        print(json.dumps(await backlog(topics, url, due)))  # noqa: T201 - what it is for
                        return
                    await publish(topics, provider, rate)
                    # The jitter spreads each age by a tenth, so the pace is even only after that.
                    await asyncio.sleep(FIRST_AGE * 1.1 + 2)
                    try:
                        found = await measured(service, url, provider, rate, seconds)
                    except aiohttp.ClientError:
                        sys.exit(service.tail())
                    print(json.dumps(found))  # noqa: T201 - what it is for


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--provider", choices=["dexatel", "speedocom"], default="dexatel")
    parser.add_argument("--api", choices=["legacy", "v1"], default="legacy")
    parser.add_argument("--rate", type=int, default=1500)
    parser.add_argument("--seconds", type=int, default=15)
    parser.add_argument("--due", type=int, default=0, help="so many at once, instead of a rate: Dexatel alone")
    chosen = parser.parse_args()
    asyncio.run(main(chosen.provider, chosen.api, chosen.rate, chosen.seconds, chosen.due))
