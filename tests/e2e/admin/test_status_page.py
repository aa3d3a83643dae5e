"""The status page and its API over HTTP: access, contents, and that they delay nothing."""

import asyncio
import csv
import io
import json
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any
from uuid import uuid4

import aiohttp
import httpx
import pytest
import pytest_asyncio

from bridge.admin.event_stream import MAX_VIEWERS
from bridge.admin.token_guard import WRONG_TOKEN_PAUSE
from tests.support.service.accounts import SECRETS, secrets
from tests.support.service.admin import TOKEN, elsewhere, events
from tests.support.service.bridge import Bridge, message
from tests.support.service.fleet import Fleet
from tests.support.waiting import wait_until

GUARDED = (
    *("/", "/page.css", "/page.js", "/elements.js", "/icon.svg", "/api/status", "/api/events", "/api/messages?id=x"),
    *("/api/search?text=x", "/api/search.csv?text=x", "/api/dead-letters"),
)


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
            "ADMIN__DEFAULT_REGION": "GB",
            "ADMIN__HOST": "0.0.0.0",  # noqa: S104 - that is what the token is for
            "ADMIN__TOKEN": TOKEN,
        }
        async with fleet.running(settings) as service:
            yield Bridge(service, topics, client, SECRETS)


async def status(bridge: Bridge) -> dict[str, Any]:
    """Return `/api/status`."""
    code, text = await bridge.service.fetch("/api/status")
    assert code == 200
    found: dict[str, Any] = json.loads(text)
    return found


async def story(bridge: Bridge, name: str) -> dict[str, Any]:
    """Return `/api/messages` for a message."""
    answer = await bridge.client.get(f"{bridge.service.admin_url}/api/messages", params={"id": name}, timeout=40)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_remote_request_needs_the_token(seen: Bridge) -> None:
    """A remote request is asked for the token in the standard way; probes and metrics stay open."""
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


async def test_no_remote_access_without_a_token_set(bridge: Bridge, fleet: Fleet) -> None:
    """Without a token in the settings each route is a 404 for remote requests, whatever they send."""
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


async def test_rebound_host_name_is_refused(bridge: Bridge) -> None:
    """A page from another site can't read anything, even if its host name resolves to this machine."""
    headers = {"host": "rebound.example.com"}
    answer = await bridge.client.get(f"{bridge.service.admin_url}/api/status", headers=headers)
    assert answer.status_code == 404


@pytest.mark.parametrize("path", GUARDED)
async def test_public_port_has_no_status_page(bridge: Bridge, path: str) -> None:
    """The public port serves callbacks only."""
    assert (await bridge.client.get(bridge.service.url + path)).status_code == 404


async def test_page_is_read_only_and_restricted(bridge: Bridge) -> None:
    """Only GET is allowed, no foreign script, style or frame is, and nothing may be cached."""
    for path in GUARDED:
        url = bridge.service.admin_url + path
        assert (await bridge.client.post(url)).status_code == 405
        answer = await bridge.client.head(url)
        assert answer.status_code in {200, 400}
        assert answer.headers["content-security-policy"].startswith("default-src 'self';")
        assert (answer.headers["cache-control"], answer.headers["x-content-type-options"]) == ("no-store", "nosniff")
    page = (await bridge.client.get(bridge.service.admin_url)).text
    assert not [word for word in ("//", "style=", "<style", "<script>", "onclick") if word in page]


async def test_status_reports_each_part(seen: Bridge) -> None:
    """The status has the parts, the partitions, both providers and the open messages."""
    one, other = await seen.send_and_wait(message("dexatel")), await seen.send_and_wait(message("speedocom"))
    await seen.report_all(one, "sent", "delivered")
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
    assert {part["name"] for part in found["parts"]} == {"intake", "receiver", "tracker"}
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
    assert sum([await seen.service.read_sample(name % age) for age in ("<1m", "<10m")]) >= 1


@pytest.mark.parametrize("by", ["message", "provider", "account"])
async def test_message_is_found_by_either_id(seen: Bridge, by: str) -> None:
    """The answer has the reports, their sources and the decisions."""
    one = await seen.send_and_wait()
    await seen.report_all(one, "sent", "sent", "delivered")
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


async def test_message_is_found_on_any_replica(seen: Bridge, fleet: Fleet) -> None:
    """A process that owns no partition also finds a message."""
    one = await seen.send_and_wait()
    await seen.report_all(one, "delivered")
    await seen.events(one)
    settings = dict(seen.service.settings)
    del settings["HTTP__PORT"], settings["ADMIN__PORT"], settings["STATE__DIRECTORY"]
    async with fleet.running(settings, "receive") as service:
        other = Bridge(service, seen.topics, seen.client, SECRETS)
        [attempt] = (await story(other, one.message_id))["attempts"]
        assert attempt["events"][0]["event"]["status"] == "delivered"
        assert (await status(other))["partitions"]["own"] == []


async def search(bridge: Bridge, **parameters: str) -> dict[str, Any]:
    """Return `/api/search` with these parameters."""
    answer = await bridge.client.get(f"{bridge.service.admin_url}/api/search", params=parameters, timeout=40)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def ids(found: dict[str, Any]) -> list[str]:
    """Return the ids of the messages in a list, in its order."""
    return [row["message_id"] for row in found["rows"]]


@pytest.mark.parametrize("form", ["+44 7700 {}", "447700{}", "+44 (7700) {}", "0044-7700-{}", "07700 {}", "(07700) {}"])
async def test_messages_are_listed_by_phone_number(seen: Bridge, form: str) -> None:
    """As people type it; every message to it is listed, the latest first, with or without a report."""
    rest = f"{uuid4().int % 10**6:06}"
    one = await seen.send_and_wait(message(age=timedelta(minutes=5)), recipient=f"+44 7700 {rest}")
    other = await seen.send_and_wait(recipient=f"447700{rest}")
    await seen.report_all(other, "sent", "rejected")
    await seen.events(other, 2)
    found = await search(seen, text=form.format(rest))
    assert ids(found) == [other.message_id, one.message_id]
    row = found["rows"][0]
    assert (row["status"], row["outcome"], row["final"]) == ("rejected", "not_delivered", True)
    assert (row["recipient"], row["attempt"]) == (f"447700{rest}", f"dexatel:default:{other.provider_message_id}")


async def test_messages_are_listed_by_the_beginning_of_an_id(seen: Bridge) -> None:
    """In any case, by the sender's and the provider's id; an id with events is a story of its own."""
    mark = uuid4().hex[:10]
    ones = [
        await seen.send_and_wait(
            message(message_id=f"Order-{mark}-{n}", provider_message_id=f"Abc-{uuid4()}", age=timedelta(seconds=9 - n))
        )
        for n in range(3)
    ]
    assert ids(await search(seen, text=f"oRDER-{mark[:8]}")) == [one.message_id for one in reversed(ones)]
    short = ones[0].provider_message_id
    assert ids(await search(seen, text=short[:12].upper())) == [ones[0].message_id]
    assert ids(await search(seen, text=f"Dexatel:{short[:12]}")) == [ones[0].message_id]
    assert (await story(seen, f"order-{mark}-0"))["attempts"] == []


async def test_lists_are_filtered(seen: Bridge) -> None:
    """By status or outcome, by provider and by time."""
    mark = uuid4().hex[:10]
    ones = {
        name: await seen.send_and_wait(message(provider, message_id=f"{mark}-{name}"))
        for name, provider in (("open", "dexatel"), ("bad", "speedocom"), ("good", "dexatel"))
    }
    await seen.report_all(ones["good"], "sent", "delivered")
    await seen.report_all(ones["bad"], "rejected")
    await seen.events(ones["good"], 2)
    await seen.events(ones["bad"])

    async def names(**filters: str) -> set[str]:
        return {one.rpartition("-")[2] for one in ids(await search(seen, text=mark, **filters))}

    assert await names() == {"open", "bad", "good"}
    assert await names(status="delivered") == {"good"}
    assert await names(status="not_delivered") == {"bad"}
    assert await names(status="sent") == set()
    assert await names(status="no_report") == {"open"}
    assert await names(provider="speedocom") == {"bad"}
    assert await names(since="1h") == {"open", "bad", "good"}
    assert await names(since="2999-01-01T00:00:00Z") == set()
    assert mark in str(await search(seen, status="rejected", since="1h")), "a text isn't needed"


async def test_messages_without_a_tracker_are_listed(seen: Bridge, fleet: Fleet) -> None:
    """What no tracker has processed yet is in the journal alone."""
    async with fleet.topics() as topics:
        settings = {**topics.settings, **secrets("dexatel"), "DEXATEL__POLL": "never"}
        async with fleet.running(settings, "intake,receive") as service:
            bridge = Bridge(service, topics, seen.client, SECRETS)
            one = await bridge.send_and_wait(recipient="+447700900999")
            [row] = (await search(bridge, text="00447700900999"))["rows"]
            assert (row["message_id"], row["status"]) == (one.message_id, None)


async def test_national_number_without_a_region(bridge: Bridge) -> None:
    """It isn't found, and the answer says why."""
    assert "ADMIN__DEFAULT_REGION" in (await search(bridge, text="07700 900123"))["note"]
    assert (await search(bridge, text="+44 7700 900123"))["note"] is None


async def test_hashed_numbers_are_found(seen: Bridge, fleet: Fleet) -> None:
    """With a key, a number is hashed and compared; dropped numbers can't be found, and the answer says so."""
    for privacy in ({"PRIVACY__RECIPIENT": "hash", "PRIVACY__HASH_KEY": "h" * 32}, {"PRIVACY__RECIPIENT": "drop"}):
        async with fleet.topics() as topics:
            settings = {**topics.settings, **secrets("dexatel"), **privacy, "DEXATEL__POLL": "never"}
            async with fleet.running({**settings, "ADMIN__DEFAULT_REGION": "gb"}) as service:
                bridge = Bridge(service, topics, seen.client, SECRETS)
                one = await bridge.send_and_wait(recipient="+44 7700 900321")
                found = await search(bridge, text="07700 900321")
                assert "900321" not in json.dumps(found["rows"])
                if "PRIVACY__HASH_KEY" in privacy:
                    assert (ids(found), found["note"]) == ([one.message_id], None)
                else:
                    assert (found["rows"], "aren't kept" in found["note"]) == ([], True)


async def test_list_as_csv(seen: Bridge) -> None:
    """A spreadsheet gets the same rows, and nothing that it would execute."""
    nasty = f'=cmd|"/c calc"!A1-{uuid4().hex}'
    await seen.send_and_wait(message(message_id=nasty), recipient="+447700900777")
    answer = await seen.client.get(f"{seen.service.admin_url}/api/search.csv", params={"text": nasty}, timeout=40)
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"].startswith('attachment; filename="sms-bridge-')
    names, row = csv.reader(io.StringIO(answer.content.decode("utf-8-sig")))
    cells = dict(zip(names, row, strict=True))
    assert (cells["message_id"], cells["recipient"], cells["status"]) == (f"'{nasty}", "'+447700900777", "")


@pytest.mark.parametrize("query", [f"text={'x' * 301}", "status=nonsense", "since=yesterday", f"provider={'x' * 301}"])
async def test_invalid_searches_are_refused(bridge: Bridge, query: str) -> None:
    """With a clear error, and without reading anything."""
    for path in ("/api/search", "/api/search.csv"):
        code, text = await bridge.service.fetch(f"{path}?{query}")
        assert (code, bool(json.loads(text)["error"])) == (400, True)


async def test_unknown_message_is_an_empty_answer(seen: Bridge) -> None:
    """An unknown id gives an empty answer, an invalid query a clear error."""
    found = await story(seen, "nobody-knows-this-one")
    assert (found["attempts"], found["dead_letters"]) == ([], [])
    for query in ("", "?id=", f"?id={'x' * 301}"):
        code, text = await seen.service.fetch(f"/api/messages{query}")
        assert (code, "error" in json.loads(text)) == (400, True)


async def test_published_events_are_streamed(seen: Bridge) -> None:
    """Each published event is sent to the open streams."""
    url = f"{seen.service.admin_url}/api/events"
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        assert response.content_type == "text/event-stream"
        one = await seen.send_and_wait()
        await seen.report_all(one, "sent", "delivered")
        told = []
        async with asyncio.timeout(60):
            async for event in events(response):
                told += [event["status"]] if event["message_id"] == one.message_id else []
                if len(told) == 2:
                    break
        assert told == ["sent", "delivered"]


async def test_the_oldest_stream_makes_room(seen: Bridge) -> None:
    """However many streams nobody reads, another one is served, and the first one ends."""
    url = f"{seen.service.admin_url}/api/events"
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session, AsyncExitStack() as stack:
        streams = [await stack.enter_async_context(session.get(url)) for _ in range(MAX_VIEWERS + 1)]
        assert {stream.status for stream in streams} == {200}
        async with asyncio.timeout(60):
            await streams[0].read()
        assert not streams[-1].content.at_eof()


async def test_wrong_tokens_are_counted_and_slowed_down(seen: Bridge) -> None:
    """Who guesses gets one answer a second, whoever has the token isn't held up."""
    url, began = f"{elsewhere(seen)}/api/status", time.monotonic()
    before = await seen.service.read_sample("sms_bridge_admin_tokens_refused_total")
    answers = await asyncio.gather(*(seen.client.get(url, auth=("on-call", "guess")) for _ in range(20)))
    assert time.monotonic() - began >= WRONG_TOKEN_PAUSE
    assert sorted(answer.status_code for answer in answers) == [401, *[429] * 19]
    assert (await seen.client.get(f"{seen.service.admin_url}/api/status")).status_code == 200
    assert await seen.service.read_sample("sms_bridge_admin_tokens_refused_total") == before + 1


async def test_other_sites_pages_get_nothing(bridge: Bridge) -> None:
    """A browser says which site's page makes a request."""
    for site, status in (("cross-site", 403), ("same-site", 403), ("same-origin", 200), ("none", 200)):
        answer = await bridge.client.get(f"{bridge.service.admin_url}/api/status", headers={"sec-fetch-site": site})
        assert answer.status_code == status
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"


async def test_open_stream_does_not_delay_shutdown(bridge: Bridge, fleet: Fleet) -> None:
    """The process closes open streams when it shuts down."""
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
