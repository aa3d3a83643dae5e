"""The status page and what is behind it, over HTTP: who may see it, what it knows, and that it holds nothing up."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import httpx
import pytest
import pytest_asyncio

from bridge.admin.event_stream import MOST_VIEWERS
from tests.support.service.accounts import SECRETS, secrets
from tests.support.service.admin import TOKEN, elsewhere, events
from tests.support.service.bridge import Bridge, message
from tests.support.service.fleet import Fleet
from tests.support.waiting import wait_until

GUARDED = ("/", "/page.css", "/page.js", "/icon.svg", "/api/status", "/api/events", "/api/messages?id=x")


@pytest_asyncio.fixture(scope="module")
async def seen(fleet: Fleet, client: httpx.AsyncClient) -> AsyncIterator[Bridge]:
    """A bridge whose admin port is open to the network, with a token."""
    async with fleet.topics() as topics:
        settings = {
            **topics.settings,
            **secrets("dexatel"),
            **secrets("speedocom"),
            "DEXATEL__POLL": "never",
            "SPEEDOCOM__POLL": "never",
            "ADMIN__HOST": "0.0.0.0",  # noqa: S104 - that is what the token is for
            "ADMIN__TOKEN": TOKEN,
        }
        async with fleet.running(settings) as service:
            yield Bridge(service, topics, client, SECRETS)


async def status(bridge: Bridge) -> dict[str, Any]:
    """What `/api/status` says."""
    code, text = await bridge.service.ask("/api/status")
    assert code == 200
    found: dict[str, Any] = json.loads(text)
    return found


async def story(bridge: Bridge, name: str) -> dict[str, Any]:
    """What `/api/messages` says."""
    answer = await bridge.client.get(f"{bridge.service.admin_url}/api/messages", params={"id": name}, timeout=40)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_from_another_machine_it_needs_the_token(seen: Bridge) -> None:
    """Asked for in the way browsers know; probes and metrics stay open."""
    url, right = elsewhere(seen), httpx.BasicAuth("on-call", TOKEN)
    for path in GUARDED:
        refused = await seen.client.get(url + path)
        assert (refused.status_code, refused.headers["www-authenticate"].partition(" ")[0]) == (401, "Basic")
        assert (await seen.client.get(url + path, auth=("on-call", "wrong"))).status_code == 401
    for path in ("/", "/page.css", "/page.js", "/icon.svg", "/api/status"):
        assert (await seen.client.get(url + path, auth=right)).status_code == 200
    bearer = {"authorization": f"Bearer {TOKEN}"}
    assert (await seen.client.get(f"{url}/api/status", headers=bearer)).status_code == 200
    for path in ("/livez", "/readyz", "/metrics"):
        assert (await seen.client.get(url + path)).status_code == 200


async def test_from_another_machine_there_is_nothing_without_a_token_set(bridge: Bridge, fleet: Fleet) -> None:
    """404 for each route, as for one that doesn't exist, whatever is offered and by whatever method."""
    settings = {**bridge.service.settings, "ADMIN__HOST": "0.0.0.0"}  # noqa: S104 - that is what is tested
    del settings["HTTP__PORT"], settings["ADMIN__PORT"], settings["STATE__DIRECTORY"]
    async with fleet.running(settings, "receive") as service:
        url = elsewhere(Bridge(service, bridge.topics, bridge.client, SECRETS))
        nothing = await bridge.client.get(f"{url}/no/such/route")
        for path in GUARDED:
            for method in ("GET", "POST"):
                answer = await bridge.client.request(method, url + path, auth=("on-call", ""))
                assert (answer.status_code, answer.content) == (404, nothing.content)
        assert (await bridge.client.get(f"{url}/readyz")).status_code == 200


async def test_a_page_from_elsewhere_that_leads_here_is_turned_away(bridge: Bridge) -> None:
    """A name that was rebound to this machine reads nothing of it."""
    headers = {"host": "rebound.example.com"}
    answer = await bridge.client.get(f"{bridge.service.admin_url}/api/status", headers=headers)
    assert answer.status_code == 404


@pytest.mark.parametrize("path", GUARDED)
async def test_the_public_port_has_none_of_it(bridge: Bridge, path: str) -> None:
    """Callbacks and nothing else."""
    assert (await bridge.client.get(bridge.service.url + path)).status_code == 404


async def test_it_only_reads_and_lets_nothing_in(bridge: Bridge) -> None:
    """No other method; no script, style or frame from elsewhere, and nothing that a cache may keep."""
    for path in GUARDED:
        url = bridge.service.admin_url + path
        assert (await bridge.client.post(url)).status_code == 405
        answer = await bridge.client.head(url)
        assert answer.status_code in {200, 400}
        assert answer.headers["content-security-policy"].startswith("default-src 'self';")
        assert (answer.headers["cache-control"], answer.headers["x-content-type-options"]) == ("no-store", "nosniff")
    page = (await bridge.client.get(bridge.service.admin_url)).text
    assert not [word for word in ("//", "style=", "<style", "<script>", "onclick") if word in page]


async def test_the_status_says_how_each_part_is(seen: Bridge) -> None:
    """Parts, partitions, both providers, what waits for its end."""
    one, other = await seen.followed(message("dexatel")), await seen.followed(message("speedocom"))
    await seen.tell(one, "sent", "delivered")
    await seen.events(one, 2)

    async def counted() -> bool:
        found = await status(seen)
        dexatel, speedocom = found["providers"]
        return bool(
            dexatel["delivery_rate"] == 1
            and dexatel["callbacks"] == {"journaled": 2}
            and found["pending"]["followed"] == 1
            and speedocom["provider"] == "speedocom"
        )

    await wait_until(counted, 60, lambda: "the status hasn't counted what happened")
    found = await status(seen)
    assert (found["ready"], found["concerns"]) == (True, [])
    assert {part["name"] for part in found["parts"]} == {"started", "intake", "receiver", "tracker"}
    assert len(found["partitions"]["own"]) == found["partitions"]["in_all"]
    assert sum(partition["followed"] for partition in found["partitions"]["own"]) == 1
    account = found["providers"][0]["accounts"][0]
    assert (account["account"], account["polled"], account["circuit"]) == ("default", False, "closed")
    assert TOKEN not in json.dumps(found)

    async def aged() -> bool:
        ages = (await status(seen))["pending"]["ages"]
        return bool(ages.get("speedocom", {}).get("<1m") or ages.get("speedocom", {}).get("<10m"))

    await wait_until(aged, 60, lambda: f"{other} isn't counted by its age")
    name = 'sms_bridge_attempts_pending{age="%s",provider="speedocom"}'
    assert sum([await seen.service.sample(name % age) for age in ("<1m", "<10m")]) >= 1


@pytest.mark.parametrize("by", ["message", "provider", "account"])
async def test_a_message_is_found_by_either_id(seen: Bridge, by: str) -> None:
    """With what came, from where, and what was decided."""
    one = await seen.followed()
    await seen.tell(one, "sent", "sent", "delivered")
    await seen.events(one, 2)
    name = {
        "message": one.message_id,
        "provider": f"dexatel:{one.provider_message_id}",
        "account": f"dexatel:default:{one.provider_message_id}",
    }[by]
    [attempt] = (await story(seen, name))["attempts"]
    assert attempt["message_id"] == one.message_id
    assert [step["source"] for step in attempt["timeline"]] == ["sent", "callback", "callback", "callback"]
    assert [step["decision"] for step in attempt["timeline"]] == ["followed", "published", "duplicate", "published"]


async def test_a_message_is_found_where_its_partition_is_not(seen: Bridge, fleet: Fleet) -> None:
    """A process that tracks nothing knows the story as well."""
    one = await seen.followed()
    await seen.tell(one, "delivered")
    await seen.events(one)
    settings = dict(seen.service.settings)
    del settings["HTTP__PORT"], settings["ADMIN__PORT"], settings["STATE__DIRECTORY"]
    async with fleet.running(settings, "receive") as service:
        other = Bridge(service, seen.topics, seen.client, SECRETS)
        [attempt] = (await story(other, one.message_id))["attempts"]
        assert attempt["events"][0]["event"]["status"] == "delivered"
        assert (await status(other))["partitions"]["own"] == []


async def test_what_nobody_knows_is_not_found(seen: Bridge) -> None:
    """An empty answer, and a plain word about a question that isn't one."""
    found = await story(seen, "nobody-knows-this-one")
    assert (found["attempts"], found["dead_letters"]) == ([], [])
    for query in ("", "?id=", f"?id={'x' * 301}"):
        code, text = await seen.service.ask(f"/api/messages{query}")
        assert (code, "error" in json.loads(text)) == (400, True)


async def test_events_come_live(seen: Bridge) -> None:
    """What is published is told to whoever watches."""
    url = f"{seen.service.admin_url}/api/events"
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        assert response.content_type == "text/event-stream"
        one = await seen.followed()
        await seen.tell(one, "sent", "delivered")
        told = []
        async with asyncio.timeout(60):
            async for event in events(response):
                told += [event["status"]] if event["message_id"] == one.message_id else []
                if len(told) == 2:
                    break
        assert told == ["sent", "delivered"]


async def test_watchers_are_few_and_who_leaves_makes_room(seen: Bridge) -> None:
    """One more is turned away, and is let in when another has gone."""
    url = f"{seen.service.admin_url}/api/events"
    async with aiohttp.ClientSession() as session, AsyncExitStack() as stack:

        async def full() -> bool:
            response = await session.get(url)
            stack.callback(response.close)
            return response.status == 503

        first = await session.get(url)
        for _ in range(MOST_VIEWERS - 1):
            await full()
        assert await full()
        first.close()

        async def let_in() -> bool:
            return not await full()

        await wait_until(let_in, 60, lambda: "there is no room for one more")


async def test_an_open_page_does_not_keep_it_from_ending(bridge: Bridge, fleet: Fleet) -> None:
    """Streams end when the process is told to; it doesn't wait for those who watch."""
    settings = dict(bridge.service.settings)
    del settings["HTTP__PORT"], settings["ADMIN__PORT"], settings["STATE__DIRECTORY"]
    service = fleet.service(settings, "receive")
    await service.start()
    async with aiohttp.ClientSession() as session, session.get(f"{service.admin_url}/api/events") as response:
        assert response.status == 200
        await response.content.readline()
        began = time.monotonic()
        assert await service.stop() == 0
        assert time.monotonic() - began < 9, "the listener waited for the stream, which it does for ten seconds"
        await response.content.read()  # a stream that was cut raises
