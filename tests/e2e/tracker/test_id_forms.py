"""Ids in another form and parts of a message, from callbacks to `trace`; and the warning where a form is missing."""

import httpx

from tests.support.service.accounts import CALLBACKS_ONLY
from tests.support.service.bridge import Bridge, message
from tests.support.service.command import sms_bridge
from tests.support.service.fleet import Fleet
from tests.support.waiting import wait_until

SECRET = "the-secret-of-zeta-0123"
ZETA = {
    "WEBHOOKS__ZETA__CALLBACK_SECRETS": SECRET,
    "WEBHOOKS__ZETA__ID": "/id",
    "WEBHOOKS__ZETA__STATUS": "/status",
    "WEBHOOKS__ZETA__STATUSES": '{"done":"delivered","lost":"undelivered"}',
    "WEBHOOKS__ZETA__PART": "/part",
    "WEBHOOKS__ZETA__PARTS": "/parts",
}


async def test_reports_in_another_form_are_matched(fleet: Fleet, client: httpx.AsyncClient) -> None:
    """The event has the id as it was sent, and each form of it finds the message."""
    forms = {"WEBHOOKS__ZETA__ID_FORM": "casefold,cut::"}
    async with fleet.topics() as topics:
        settings = {**topics.settings, **CALLBACKS_ONLY, **ZETA, **forms}
        async with fleet.running(settings) as service:
            bridge = Bridge(service, topics, client, {("zeta", "default"): SECRET})
            one = await bridge.send(message("zeta", provider_message_id="AbC-7"))
            await topics.wait_until_folded()
            for part, status in ((1, "lost"), (2, "done")):
                report = {"id": f"ABC-7:{part}", "status": status, "part": part, "parts": 2}
                assert (await client.post(bridge.url("zeta"), json=report)).status_code == 200
            events = await bridge.events(one, 2)
            assert [(event["status"], event["provider_message_id"]) for event in events] == [
                ("sent", "AbC-7"),
                ("undelivered", "AbC-7"),
            ]
            for name in (one.message_id, "zeta:AbC-7", "zeta:ABC-7:1"):
                found = await sms_bridge(settings, "trace", name, "--json")
                (attempt,) = found.document["attempts"]
                assert (attempt["attempt"], len(attempt["timeline"])) == ("zeta:default:abc-7", 3)


async def test_a_missing_form_is_warned_of(fleet: Fleet, client: httpx.AsyncClient) -> None:
    """While the report waits, and with the setting that would help."""
    async with fleet.topics() as topics, fleet.running({**topics.settings, **CALLBACKS_ONLY, **ZETA}) as service:
        bridge = Bridge(service, topics, client, {("zeta", "default"): SECRET})
        await bridge.send_and_wait(message("zeta", provider_message_id="abc-7"))
        assert (await client.post(bridge.url("zeta"), json={"id": "ABC-7", "status": "done"})).status_code == 200

        async def is_warned_of() -> bool:
            return "SMS_BRIDGE_WEBHOOKS__ZETA__ID_FORM" in service.log and '"form":"casefold"' in service.log

        await wait_until(is_warned_of, 30, service.tail)
