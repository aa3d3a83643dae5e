"""A provider that settings describe is polled like another: a callback that is lost isn't lost."""

import json

from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.support.service.bridge import message
from tests.support.service.fleet import Fleet

TOKEN = "the-token-of-the-api"


async def test_a_provider_by_settings_is_polled(fleet: Fleet) -> None:
    """Until there is a report, with its credentials; an id that it doesn't know is asked for once."""
    known, strange = message("acme", provider_message_id="a/b 7"), message("acme", provider_message_id="nobody")
    asked: list[tuple[str, str]] = []

    async def answer(request: web.Request) -> web.Response:
        name = (await request.json())["message"]
        asked.append((name, request.headers.get("Authorization", "")))
        if name == "nobody":
            return web.json_response({"code": 44}, status=404)
        done = len([one for one, _ in asked if one == name]) > 1
        return web.json_response({"ref": name, "state": "DONE" if done else None, "code": 0})

    application = web.Application()
    application.router.add_post("/status/{id}", answer)
    async with TestServer(application) as server, fleet.topics() as topics:
        settings = {
            "ID": "/id",
            "STATUS": "/status",
            "STATUSES": '{"done":"delivered"}',
            "POLL__URL": f"http://{server.host}:{server.port}/status/{{id}}",
            "POLL__METHOD": "POST",
            "POLL__HEADERS": '{"Authorization":"Bearer {token}"}',
            "POLL__BODY": '{"message":"{id}"}',
            "POLL__SECRETS__TOKEN": TOKEN,
            "POLL__STATUS": "/state",
            "POLL__ID": "/ref",
            "POLL__UNKNOWN_ID": '{"/code":["44"]}',
            "POLL__AGES": "1s,2s,3s,4s,5s,6s,7s,8s",
        }
        acme = {f"WEBHOOKS__ACME__{name}": value for name, value in settings.items()}
        async with fleet.running({**topics.settings, **acme}) as service:
            await topics.publish_all([known.sent(), strange.sent()])
            await topics.wait_until(lambda: any(event["status"] == "delivered" for event in topics.events), "an end")
            (event,) = [event for event in topics.events if event["status"] == "delivered"]
            assert (event["provider_message_id"], event["source"]) == ("a/b 7", "poll")
            assert {headers for _, headers in asked} == {f"Bearer {TOKEN}"}
            await topics.wait_until(lambda: ("nobody", f"Bearer {TOKEN}") in asked, "the other is asked for")
            assert TOKEN not in service.log
            for record in (*topics.entries, *topics.events):
                assert TOKEN not in json.dumps([str(record.key), str(record.value)])
    assert len([one for one, _ in asked if one == "nobody"]) == 1
