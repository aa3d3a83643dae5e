"""Connections with OAuth tokens that are short-lived: a renewed one is used, and traffic goes on."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from tests.support.kafka.oauth import OAuthKafka, oauth_kafka
from tests.support.service.accounts import CALLBACKS_ONLY, SECRETS
from tests.support.service.bridge import Bridge
from tests.support.service.fleet import Fleet
from tests.support.service.process import run_refused
from tests.support.waiting import wait_until

pytestmark = pytest.mark.long

LIFETIME_SECONDS = 10
"""Long enough for a start on a busy machine."""


@pytest_asyncio.fixture(scope="module")
async def kafka_with_tokens(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[OAuthKafka]:
    """A Kafka for all tests of this file."""
    async with oauth_kafka(tmp_path_factory.mktemp("keys")) as cluster:
        yield cluster


async def report_and_expect(bridge: Bridge) -> None:
    """Send a message through the bridge: its sent event, a callback, an event."""
    one = await bridge.send_and_wait()
    await bridge.report_all(one, "delivered")
    assert [event["status"] for event in await bridge.events(one)] == ["delivered"]


async def test_renewed_token_file_is_read_anew(
    fleet: Fleet, kafka_with_tokens: OAuthKafka, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    """When the first token has expired, its connections end; the new ones use what the file has by then."""
    kafka, file = kafka_with_tokens, tmp_path / "SMS_BRIDGE_KAFKA__SASL_PASSWORD"
    async with fleet.topics(bootstrap_servers=kafka.bootstrap_servers) as topics:
        settings = {**topics.settings, **CALLBACKS_ONLY, **kafka.settings, "SECRETS_DIR": str(tmp_path)}
        service = fleet.service(settings)
        bridge = Bridge(service, topics, client, SECRETS)
        expires_at = time.time() + LIFETIME_SECONDS
        await asyncio.to_thread(file.write_text, f"{kafka.server.issue(LIFETIME_SECONDS)}\n")
        async with service:
            await report_and_expect(bridge)
            renewed = tmp_path / ".renewed"
            await asyncio.to_thread(renewed.write_text, kafka.server.issue(3600))
            await asyncio.to_thread(renewed.replace, file)

            async def is_expired() -> bool:
                return time.time() > expires_at + 1

            await wait_until(is_expired, 60, lambda: "time stands still")
            await report_and_expect(bridge)
            await wait_until(service.is_ready, 60, lambda: f"it isn't ready again:\n{service.tail()}")


async def test_missing_token_is_one_line(kafka_with_tokens: OAuthKafka, tmp_path: Path) -> None:
    """Without a token, the start fails with a line that names the file."""
    settings = {**kafka_with_tokens.settings, **CALLBACKS_ONLY, "KAFKA__OAUTH__TOKEN_FILE": str(tmp_path / "none")}
    code, [line] = await run_refused(settings, tmp_path / "bridge")
    assert code == 1
    assert "SMS_BRIDGE_KAFKA__OAUTH__TOKEN_FILE" in line
