"""Certificates are replaced while the bridge runs: those of its connections to Kafka, and its own."""

import asyncio
import json
import time
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
import trustme

from tests.support.certificates import CERTIFICATE, KEY, MountedSecret, issue, trust
from tests.support.kafka.mutual_tls import mutual_tls_kafka
from tests.support.renewal import renewing
from tests.support.service.accounts import CALLBACKS_ONLY, SECRETS
from tests.support.service.bridge import Bridge
from tests.support.service.fleet import Fleet
from tests.support.service.process import Service
from tests.support.waiting import wait_until

pytestmark = pytest.mark.long

CLIENT_LIFETIME = timedelta(seconds=5)


async def read_expiry(service: Service, setting: str) -> float:
    """Return the end of a certificate, as the bridge exposes it."""
    return await service.read_sample(f'sms_bridge_certificate_expiry_timestamp_seconds{{setting="{setting}"}}')


async def wait_for_log(service: Service, event: str, count: int = 1) -> None:
    """Wait until the log has a line this many times."""

    async def is_logged() -> bool:
        return [json.loads(line)["event"] for line in service.log.splitlines()].count(event) >= count

    await wait_until(is_logged, 60, lambda: f"no {event!r}:\n{service.tail()}")


async def test_kafkas_client_certificate_is_renewed(fleet: Fleet, client: httpx.AsyncClient, tmp_path: Path) -> None:
    """When the first one has expired, Kafka refuses it; new connections have the next one."""
    secret = MountedSecret(tmp_path / "client")
    async with (
        mutual_tls_kafka(tmp_path) as kafka,
        fleet.topics(bootstrap_servers=kafka.bootstrap_servers) as topics,
    ):
        settings = {**topics.settings, **CALLBACKS_ONLY, **kafka.settings(secret)}
        service = fleet.service(settings)
        bridge = Bridge(service, topics, client, SECRETS)
        async with AsyncExitStack() as stack:
            async with renewing(lambda: secret.write(issue(kafka.authority, lifetime=CLIENT_LIFETIME))):
                await stack.enter_async_context(service)
                one = await bridge.send_and_wait()
                assert 0 < await read_expiry(service, "KAFKA__SSL_CERTFILE") < time.time() + 3600
            await asyncio.to_thread(secret.write, issue(kafka.authority))
            expired_at = time.time() + CLIENT_LIFETIME.total_seconds() + 1

            async def is_renewed() -> bool:
                return await read_expiry(service, "KAFKA__SSL_CERTFILE") > time.time() + 86_400

            async def is_expired() -> bool:
                return time.time() > expired_at

            await wait_until(is_renewed, 60, lambda: f"it isn't loaded:\n{service.tail()}")
            await wait_until(is_expired, 60, lambda: "time stands still")
            for count, word in enumerate(("sent", "delivered"), 1):
                await bridge.report_all(one, word)
                await bridge.events(one, count)
            await wait_until(service.is_ready, 60, lambda: f"it isn't ready:\n{service.tail()}")
            assert "certificates reloaded" in service.log


async def test_listeners_certificate_is_renewed(fleet: Fleet, tmp_path: Path) -> None:
    """New connections see it, and callbacks go on; what can't be used is logged in one line."""
    secret, first, second = MountedSecret(tmp_path / "server"), trustme.CA(), trustme.CA()
    await asyncio.to_thread(secret.write, issue(first))
    tls = {"HTTP__TLS_CERT": str(secret.path(CERTIFICATE)), "HTTP__TLS_KEY": str(secret.path(KEY))}
    async with fleet.topics() as topics, fleet.running({**topics.settings, **CALLBACKS_ONLY, **tls}) as service:
        service.url = service.url.replace("http:", "https:")
        async with httpx.AsyncClient(verify=trust(first), timeout=20) as client:
            bridge = Bridge(service, topics, client, SECRETS)
            one = await bridge.send_and_wait()
            assert await bridge.report(one, "sent") == 200
            expires_at = await read_expiry(service, "HTTP__TLS_CERT")
            await asyncio.to_thread(secret.write, {CERTIFICATE: b"not a certificate", KEY: b""})
            await wait_for_log(service, "changed certificates can't be used; the previous ones stay")
            assert "SMS_BRIDGE_HTTP__TLS_CERT" in service.tail(1)
            assert await bridge.report(one, "sent") == 200
            assert await read_expiry(service, "HTTP__TLS_CERT") == expires_at
        await asyncio.to_thread(secret.write, issue(second, lifetime=timedelta(days=60)))
        await wait_for_log(service, "certificates reloaded")
        assert await read_expiry(service, "HTTP__TLS_CERT") > expires_at
        async with httpx.AsyncClient(verify=trust(second), timeout=20) as client:
            bridge.client = client
            assert await bridge.report(one, "delivered") == 200
        assert [event["status"] for event in await bridge.events(one, 2)] == ["sent", "delivered"]


async def test_admin_port_speaks_tls(fleet: Fleet, tmp_path: Path) -> None:
    """Probes and metrics as well, and a renewed certificate is loaded."""
    secret, first, second = MountedSecret(tmp_path / "admin"), trustme.CA(), trustme.CA()
    await asyncio.to_thread(secret.write, issue(first))
    tls = {"ADMIN__TLS_CERT": str(secret.path(CERTIFICATE)), "ADMIN__TLS_KEY": str(secret.path(KEY))}
    async with fleet.topics() as topics:
        service = fleet.service({**topics.settings, **CALLBACKS_ONLY, **tls}, "receive")
        await service.start(ready=False)
        url = service.admin_url.replace("http:", "https:")
        try:
            for authority in (first, second):
                async with httpx.AsyncClient(verify=trust(authority), timeout=20) as client:

                    async def is_ready(client: httpx.AsyncClient = client) -> bool:
                        try:
                            return (await client.get(f"{url}/readyz")).status_code == 200
                        except httpx.ConnectError:
                            return False

                    await wait_until(is_ready, 60, lambda: f"it isn't ready:\n{service.tail()}")
                    assert "sms_bridge_build_info" in (await client.get(f"{url}/metrics")).text
                await asyncio.to_thread(secret.write, issue(second))
            assert "certificates reloaded" in service.log
        finally:
            assert await service.stop() == 0
