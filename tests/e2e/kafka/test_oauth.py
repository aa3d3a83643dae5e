"""Connections with OAuth tokens that are short-lived: a renewed one is used, and traffic goes on."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from tests.support.kafka.oauth import OAuthKafka, oauth_kafka
from tests.support.kafka.token_server import REFUSED
from tests.support.renewal import renewing
from tests.support.service.accounts import CALLBACKS_ONLY, SECRETS
from tests.support.service.bridge import Bridge
from tests.support.service.fleet import Fleet
from tests.support.service.process import run_refused
from tests.support.waiting import wait_until

pytestmark = pytest.mark.long

LIFETIME_SECONDS = 4


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

    def write_token(lifetime_seconds: float = LIFETIME_SECONDS) -> None:
        renewed = tmp_path / ".renewed"
        renewed.write_text(f"{kafka.server.issue(lifetime_seconds)}\n")
        renewed.replace(file)

    async with fleet.topics(bootstrap_servers=kafka.bootstrap_servers) as topics:
        settings = {**topics.settings, **CALLBACKS_ONLY, **kafka.settings, "SECRETS_DIR": str(tmp_path)}
        service = fleet.service(settings)
        bridge = Bridge(service, topics, client, SECRETS)
        async with AsyncExitStack() as stack:
            async with renewing(write_token):
                await stack.enter_async_context(service)
                await report_and_expect(bridge)
            await asyncio.to_thread(write_token, 3600)
            expired_at = time.time() + LIFETIME_SECONDS + 1

            async def is_expired() -> bool:
                return time.time() > expired_at

            await wait_until(is_expired, 60, lambda: "time stands still")
            await report_and_expect(bridge)
            await wait_until(service.is_ready, 60, lambda: f"it isn't ready again:\n{service.tail()}")


async def test_missing_token_is_one_line(kafka_with_tokens: OAuthKafka, tmp_path: Path) -> None:
    """Without a token, the start fails with a line that names the file."""
    settings = {**kafka_with_tokens.settings, **CALLBACKS_ONLY, "KAFKA__OAUTH__TOKEN_FILE": str(tmp_path / "none")}
    code, [line] = await run_refused(settings, tmp_path / "bridge")
    assert code == 1
    assert "SMS_BRIDGE_KAFKA__OAUTH__TOKEN_FILE" in line


async def test_tokens_are_fetched_again_before_they_expire(
    fleet: Fleet, kafka_with_tokens: OAuthKafka, client: httpx.AsyncClient
) -> None:
    """Over the lives of several tokens, reports go on; connections of one moment share a token."""
    kafka, server = kafka_with_tokens, kafka_with_tokens.server
    async with fleet.topics(bootstrap_servers=kafka.bootstrap_servers) as topics:
        server.lifetime_seconds = LIFETIME_SECONDS
        settings = {**topics.settings, **CALLBACKS_ONLY, **kafka.settings, **server.settings}
        async with fleet.running(settings) as service:
            bridge = Bridge(service, topics, client, SECRETS)
            for _ in range(2):
                requests = server.requests
                await report_and_expect(bridge)

                async def is_renewed(requests: int = requests) -> bool:
                    return server.requests > requests

                await wait_until(is_renewed, 60, lambda: f"no token was fetched:\n{service.tail()}")
            await report_and_expect(bridge)
            await wait_until(service.is_ready, 60, lambda: f"it isn't ready:\n{service.tail()}")


async def test_outage_of_the_token_server_is_survived(
    fleet: Fleet, kafka_with_tokens: OAuthKafka, client: httpx.AsyncClient
) -> None:
    """While it refuses the client, callbacks get 503 and the log has one line; afterwards the bridge goes on."""
    kafka, server = kafka_with_tokens, kafka_with_tokens.server
    async with fleet.topics(bootstrap_servers=kafka.bootstrap_servers) as topics:
        server.lifetime_seconds = LIFETIME_SECONDS
        settings = {**topics.settings, **CALLBACKS_ONLY, **kafka.settings, **server.settings}
        async with fleet.running(settings) as service:
            bridge = Bridge(service, topics, client, SECRETS)
            await report_and_expect(bridge)
            server.reply = REFUSED

            async def complains() -> bool:
                return "no OAuth token for Kafka" in service.log

            await wait_until(complains, 60, lambda: f"it doesn't complain:\n{service.tail()}")
            server.reply = None
            await wait_until(service.is_ready, 60, lambda: f"it isn't ready again:\n{service.tail()}")
            await report_and_expect(bridge)
            assert service.log.count("no OAuth token for Kafka") == 1
            assert "SMS_BRIDGE_KAFKA__OAUTH__CLIENT_SECRET" in service.log
            assert "not-to-be-repeated" not in service.log


async def test_wrong_client_secret_is_one_line(kafka_with_tokens: OAuthKafka, tmp_path: Path) -> None:
    """A start that gets no token fails with a line that names the setting."""
    settings = {**kafka_with_tokens.settings, **kafka_with_tokens.server.settings, **CALLBACKS_ONLY}
    settings["KAFKA__OAUTH__CLIENT_SECRET"] = "not-the-secret"
    code, [line] = await run_refused(settings, tmp_path)
    assert code == 1
    assert "SMS_BRIDGE_KAFKA__OAUTH__CLIENT_SECRET" in line
    assert "not-the-secret" not in line
