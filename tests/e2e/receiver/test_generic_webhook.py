"""A provider that settings alone describe works like the others."""

import gzip
import hmac
import json
from pathlib import Path

import httpx
import pytest

from tests.support.service.accounts import ACME, ACME_KEY, ACME_SECRET, CALLBACKS_ONLY
from tests.support.service.bridge import Bridge, message
from tests.support.service.fleet import Fleet


async def test_a_provider_by_settings_is_served_like_another(
    fleet: Fleet, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    """Its sent events are followed, its callbacks are parsed as described, and every attempt ends."""
    async with fleet.topics() as topics, fleet.running({**topics.settings, **CALLBACKS_ONLY, **ACME}) as service:
        bridge = Bridge(service, topics, client, {("acme-sms", "default"): ACME_SECRET})
        one = await bridge.send_and_wait(message("acme-sms", provider_message_id="00042"))
        silent = await bridge.send(message("acme-sms", "brief"))

        async def call(state: str, event: str = "dlr", key: str = ACME_KEY, method: str = "POST") -> int:
            details = {"id": one.provider_message_id, "state": state, "done": "2026-01-31 15:00:00"}
            body = json.dumps({"event": event, "message": details}).encode()
            headers = {
                "content-type": "application/json",
                "x-acme-signature": hmac.digest(key.encode(), body, "sha256").hex(),
            }
            answer = await client.request(method, f"{bridge.url('acme-sms')}?a=b", content=body, headers=headers)
            return answer.status_code

        assert await call("DELIVRD", key="somebody-else's") == 401
        assert await call("DELIVRD", event="click") == 200
        assert await call("DELIVRD", method="GET") == 405
        assert await call("ACCEPTD") == 200
        assert await call("Delivrd") == 200
        assert [e["status"] for e in await bridge.events(one, 2)] == ["pending", "delivered"]
        end = await bridge.wait_for_final(silent)
        assert (end["status"], end["reason"], end["account"]) == ("unknown", "no_report", "brief")
        received = "sms_bridge_callbacks_received_total"
        samples = await service.read_samples()
        counted = {o: samples[f'{received}{{outcome="{o}",provider="acme-sms"}}'] for o in ("journaled", "ignored")}
        assert counted == {"journaled": 2, "ignored": 1}
        assert samples[f'{received}{{outcome="rejected",provider="acme-sms"}}'] == 2


SECRET = "the-secret-of-a-provider-0123"
PASSWORD = "the-password-of-a-provider"
ZETA = {
    "WEBHOOKS__ZETA__REPORTS": "/results",
    "WEBHOOKS__ZETA__ID": "/id",
    "WEBHOOKS__ZETA__STATUS": "/status",
    "WEBHOOKS__ZETA__STATUSES": '{"done":"delivered"}',
    "WEBHOOKS__ZETA__ANSWER__BODY": '{"code":0}',
    "WEBHOOKS__ZETA__ANSWER__CONTENT_TYPE": "application/json",
    "WEBHOOKS__ZETA__CALLBACK_SECRETS": SECRET,
    "WEBHOOKS__ZETA__ACCOUNTS__AUTH__SECRET_IN_PATH": "false",
    "WEBHOOKS__ZETA__ACCOUNTS__AUTH__BASIC_AUTH__USERNAME": "zeta",
    "WEBHOOKS__ZETA__ACCOUNTS__AUTH__BASIC_AUTH__PASSWORD": PASSWORD,
}


async def test_a_batch_is_read_report_by_report(fleet: Fleet, client: httpx.AsyncClient) -> None:
    """All is in the journal before the answer; a bad report is a dead letter of its own, which can be replayed."""
    async with fleet.topics() as topics, fleet.running({**topics.settings, **CALLBACKS_ONLY, **ZETA}) as service:
        bridge = Bridge(service, topics, client, {("zeta", "default"): SECRET})
        first, second = [await bridge.send_and_wait(message("zeta")) for _ in range(2)]
        results = [{"id": first.provider_message_id, "status": "done"}, {"id": "x"}]
        results.append({"id": second.provider_message_id, "status": "done"})
        body = gzip.compress(json.dumps({"results": results}).encode())
        headers = {"content-type": "application/json", "content-encoding": "gzip"}
        answer = await client.post(bridge.url("zeta"), content=body, headers=headers)
        assert (answer.status_code, answer.text) == (200, '{"code":0}')
        assert answer.headers["content-type"] == "application/json"
        for one in (first, second):
            assert [event["status"] for event in await bridge.events(one, 1)] == ["delivered"]
        letter = await bridge.wait_for_dead_letter(reason="unreadable")
        assert json.loads(letter.value or b"") == {"results": [{"id": "x"}]}


@pytest.mark.parametrize(
    ("body", "encoding", "status"),
    [
        (b"<results/>", "", 415),
        (b"{}", "br", 415),
        (b"{}", "gzip", 400),
        (gzip.compress(b" " * 50_000_000), "gzip", 413),
        (gzip.compress(b"{}")[:-4], "gzip", 400),
    ],
    ids=["XML", "brotli", "not gzip", "too large", "cut"],
)
async def test_what_cannot_be_opened_is_refused(
    fleet: Fleet, client: httpx.AsyncClient, body: bytes, encoding: str, status: int
) -> None:
    """The sender notices."""
    async with fleet.topics() as topics, fleet.running({**topics.settings, **CALLBACKS_ONLY, **ZETA}) as service:
        bridge = Bridge(service, topics, client, {("zeta", "default"): SECRET})
        headers = {"content-encoding": encoding} if encoding else {}
        assert (await client.post(bridge.url("zeta"), content=body, headers=headers)).status_code == status


async def test_credentials_may_stand_for_the_secret(fleet: Fleet, client: httpx.AsyncClient) -> None:
    """Basic auth tells the account; without it, the answer asks for it."""
    async with fleet.topics() as topics, fleet.running({**topics.settings, **CALLBACKS_ONLY, **ZETA}) as service:
        bridge = Bridge(service, topics, client, {("zeta", "auth"): SECRET})
        one = await bridge.send_and_wait(message("zeta", "auth"))
        body = {"results": {"id": one.provider_message_id, "status": "done"}}
        url = f"{service.url}/dlr/zeta"
        for auth in (("", ""), ("zeta", "wrong"), ("", PASSWORD), ("zet", f"a:{PASSWORD}")):
            refused = await client.post(url, json=body, auth=auth)
            assert refused.status_code == 401
            assert refused.headers["www-authenticate"].startswith("Basic ")
        assert (await client.post(f"{service.url}/dlr/dexatel", json=body)).status_code == 404
        assert (await client.post(url, json=body, auth=("zeta", PASSWORD))).status_code == 200
        assert [event["account"] for event in await bridge.events(one, 1)] == ["auth"]
        assert PASSWORD not in service.log


async def test_a_bad_form_is_kept_without_its_numbers(fleet: Fleet, client: httpx.AsyncClient) -> None:
    """Where numbers aren't kept, a multipart form becomes JSON: its boundaries may look like numbers themselves."""
    settings = {**CALLBACKS_ONLY, **ZETA, "PRIVACY__RECIPIENT": "drop"}
    async with fleet.topics() as topics, fleet.running({**topics.settings, **settings}) as service:
        bridge = Bridge(service, topics, client, {("zeta", "default"): SECRET})
        boundary = "--------------------------735323031399963166993862"
        fields = {"results": '{"id":"A7"}', "to": "374991", "note": "for +254700123456"}
        parts = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n'
            for name, text in fields.items()
        )
        body = f"\r\n{''.join(parts)}--{boundary}--\r\n"
        headers = {"content-type": f"multipart/form-data; boundary={boundary}"}
        assert (await client.post(bridge.url("zeta"), content=body.encode(), headers=headers)).status_code == 200
        letter = await bridge.wait_for_dead_letter(reason="unreadable", content_type="application/json")
        kept = json.loads(letter.value or b"")
        assert (json.loads(kept["results"]), kept["to"]) == ({"id": "A7"}, None)
        assert "254700123456" not in kept["note"]
