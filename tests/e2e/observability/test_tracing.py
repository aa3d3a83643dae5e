"""One trace from the sender to the event, exported to a collector; log lines with ids and without numbers."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest_asyncio
from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.support.service.accounts import SECRETS, secrets
from tests.support.service.bridge import Bridge, message
from tests.support.service.fleet import Fleet

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TRACEPARENT = f"00-{TRACE}-{SPAN}-01"
NUMBER = "37499123456"


class Collector:
    """Receives exported spans."""

    def __init__(self) -> None:
        self.url = ""
        self.spans: list[Any] = []
        self.services: set[str] = set()

    async def take(self, request: web.Request) -> web.Response:
        """Receive one export."""
        export = ExportTraceServiceRequest.FromString(await request.read())
        for of_resource in export.resource_spans:
            names = {one.key: one.value.string_value for one in of_resource.resource.attributes}
            self.services.add(names["service.name"])
            self.spans += [span for scope in of_resource.scope_spans for span in scope.spans]
        return web.Response()


@pytest_asyncio.fixture
async def collector() -> AsyncIterator[Collector]:
    """A running collector."""
    collector, app = Collector(), web.Application()
    app.router.add_post("/v1/traces", collector.take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    collector.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield collector
    await runner.cleanup()


async def test_message_is_one_trace(fleet: Fleet, client: httpx.AsyncClient, collector: Collector) -> None:
    """The intake's span is a child of the sender's, the event continues the trace, and shutdown loses no span."""
    async with fleet.topics() as topics:
        settings = {**topics.settings, **secrets("dexatel"), "DEXATEL__POLL": "never"}
        settings["OTEL_EXPORTER_OTLP_ENDPOINT"] = collector.url
        async with fleet.running(settings) as service:
            bridge, one = Bridge(service, topics, client, SECRETS), message()
            await topics.publish(one.sent(recipient=NUMBER), headers={"traceparent": TRACEPARENT})
            await topics.wait_until(lambda: bool(topics.entries), "the journal has it")
            await bridge.report_all(one, "delivered")
            [event] = await bridge.events(one)
            assert event.headers["traceparent"] == TRACEPARENT
    assert collector.services == {"sms-bridge"}
    [sent] = [span for span in collector.spans if span.name == "sms.sent"]
    assert (sent.trace_id.hex(), sent.parent_span_id.hex()) == (TRACE, SPAN)
    [told] = [span for span in collector.spans if span.name == "sms.delivery"]
    assert (told.trace_id.hex(), told.parent_span_id.hex()) == (TRACE, SPAN)
    assert [span.name for span in collector.spans].count("callback") == 1
    assert all(NUMBER not in str(span) for span in collector.spans)


async def test_log_lines_have_ids_but_no_phone_number(bridge: Bridge) -> None:
    """Log lines have the message id and the trace id; quoted input has no complete phone number."""
    one = message()
    bad = one.sent(recipient=NUMBER, account=NUMBER)
    await bridge.topics.publish(bad, headers={"traceparent": TRACEPARENT})
    await bridge.wait_for_dead_letter(reason="unknown_account", error=f"dexatel has no account '{NUMBER}'")
    lines = [json.loads(line) for line in bridge.service.log.splitlines() if one.message_id in line]
    assert [(line["message_id"], line["trace_id"]) for line in lines] == [(one.message_id, TRACE)]
    other = await bridge.send_and_wait()
    assert await bridge.report(other, "a-word-nobody-mapped", to=f"+{NUMBER}") == 200
    await bridge.topics.wait_until_folded()
    [unmapped] = [line for line in bridge.service.log.splitlines() if "a-word-nobody-mapped" in line]
    assert other.provider_message_id in unmapped
    assert json.loads(unmapped)["message_id"] == other.message_id
    assert "374…56" in unmapped
    assert NUMBER not in bridge.service.log
