"""A provider that settings alone describe works like the others."""

import hmac
import json
from pathlib import Path

import httpx

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
            answer = await client.request(method, bridge.url("acme-sms"), content=body, headers=headers)
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
