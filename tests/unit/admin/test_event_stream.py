"""The event stream while Kafka is down."""

import asyncio

import pytest
from structlog.testing import capture_logs

from bridge.admin import event_stream
from bridge.kafka.clients import KafkaClients
from bridge.settings.loading import load_settings


async def test_missing_kafka_is_streamed_repeatedly_and_logged_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """In words that say what it means."""
    monkeypatch.setattr(event_stream, "RETRY_PAUSE", 0.01)
    variables = {"KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:1", "DEXATEL__CALLBACK_SECRETS": "secret-of-dexatel-0123"}
    settings = load_settings({f"SMS_BRIDGE_{name}": value for name, value in variables.items()})
    live = event_stream.EventStream(KafkaClients(settings.kafka), "sms.delivery", 1)
    with capture_logs() as logged:
        stream = live.watch(None)
        told: list[bytes] = []
        async with asyncio.timeout(20):
            while len(told) < 3:
                told += [piece for piece in (await anext(stream)).split(b"\n\n") if b"trouble" in piece]
        await live.close()
        await stream.aclose()
    assert all(b'{"error":"Kafka doesn\'t answer"}' in piece for piece in told)
    assert [line["event"] for line in logged] == ["live events interrupted"]
