"""Providers' times in events, and the detection of a wrong time zone."""

from datetime import UTC, datetime, timedelta

import httpx

from bridge.receiver.clock_skew import SAMPLE_SIZE
from tests.support.service.accounts import CALLBACKS_ONLY, SECRETS
from tests.support.service.bridge import Bridge, message
from tests.support.service.fleet import Fleet


async def test_a_turnaround_counts_and_a_wrong_zone_is_reported_once(fleet: Fleet, client: httpx.AsyncClient) -> None:
    """Times three hours off are implausible, so the turnaround counts; one warning names the setting to change."""
    async with fleet.topics() as topics, fleet.running({**topics.settings, **CALLBACKS_ONLY}) as service:
        bridge = Bridge(service, topics, client, SECRETS)
        one = await bridge.send_and_wait(message("speedocom", age=timedelta(minutes=5)))
        written = f"{datetime.now(UTC) + timedelta(hours=3):%Y-%m-%d %H:%M:%S}"
        for word in ["Queued"] * (2 * SAMPLE_SIZE) + ["DeliveredToTerminal"]:
            assert await bridge.report(one, word, timestamp=written, timeTaken="0.24 sec") == 200
        [_, event] = await bridge.events(one, 2)
        assert (event["occurred_at_source"], event["latency_seconds"]) == ("provider", 0.24)
        [line] = [line for line in service.log.splitlines() if "TIMEZONE" in line]
        assert "SMS_BRIDGE_SPEEDOCOM__TIMEZONE" in line
        skew = await service.read_sample('sms_bridge_provider_clock_skew_seconds{provider="speedocom"}')
        assert abs(skew - 3 * 3600) < 60
