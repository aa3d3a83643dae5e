"""Every query of dashboards and alerts returns data from a real Prometheus that scrapes a running bridge."""

import asyncio
import math
import re
import shutil
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import httpx
import pytest
import pytest_asyncio
import trustme
import yaml
from confluent_kafka import Producer

from scripts.dashboards.__main__ import DASHBOARDS
from scripts.dashboards.board import ANNOTATIONS, VARIABLES
from scripts.dashboards.panels import OR_ZERO
from scripts.dashboards.providers import PROVIDERS
from tests.support.certificates import CERTIFICATE, KEY, MountedSecret, issue, trust
from tests.support.paths import CHART_FOLDER
from tests.support.service.bridge import Bridge, message
from tests.support.service.fleet import Fleet
from tests.support.service.prometheus import Prometheus
from tests.support.service.providers import (
    API_KEY,
    NOT_FOUND,
    PARTNER_ID,
    TOKEN,
    Providers,
    Reply,
    dexatel_says,
    speedocom_says,
)

pytestmark = pytest.mark.long


ALERTS = CHART_FOLDER / "files" / "alerts.yaml"
SECRETS = {("dexatel", "default"): "secret-of-the-dashboards-1", ("speedocom", "default"): "secret-of-the-dashboards-2"}
LOOKED_AT = {
    **dict.fromkeys(("$namespace", "$job", "$provider", "$account"), ".*"),
    **dict.fromkeys(("$__rate_interval", "$__interval"), "2m"),
    "$__range": "1h",
    'alertstate="firing"': 'alertstate=~".+"',
}
"""What Grafana puts in; and alerts that wait here, because a test doesn't last as long as they do."""

DETAILS = {"dexatel": {"mccmnc": "28301", "price": "0.0125"}, "speedocom": {"network": "17", "price": "0.02"}}
"""What a final report tells beside the status."""

OFFSET = re.compile(r" offset -?\w+")
"""A test has no yesterday, no tomorrow, nor ten minutes ago."""

SELECTOR = re.compile(r"sms_bridge_\w+(?:\{[^}]*\})?")
LONG = 45.0
"""Seconds that things may take: fenced workers pause."""


def rules() -> list[Any]:
    """The alerts' rules file."""
    return [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]


class Seen(NamedTuple):
    """A bridge with all kinds of events, and the Prometheus that scraped it."""

    prometheus: Prometheus
    alerts: list[Any]


def settings(url: str) -> dict[str, str]:
    """Both providers are polled, one account has wrong credentials, and few callbacks may wait."""
    return {
        "DEXATEL__BASE_URL": f"{url}/dexatel",
        "DEXATEL__TOKEN": TOKEN,
        "DEXATEL__POLL_PATH": "/dlr/{id}",
        "DEXATEL__POLL": "1s,2s,3s,4s,5s,6s,7s,8s",
        "DEXATEL__RATE_PER_SECOND": "200",
        "DEXATEL__CALLBACK_SECRETS": SECRETS["dexatel", "default"],
        "SPEEDOCOM__BASE_URL": f"{url}/speedocom",
        "SPEEDOCOM__API_KEY": API_KEY,
        "SPEEDOCOM__PARTNER_ID": PARTNER_ID,
        "SPEEDOCOM__POLL": "1s,2s,3s,4s,5s,6s,7s,8s",
        "SPEEDOCOM__RATE_PER_SECOND": "200",
        "SPEEDOCOM__CALLBACK_SECRETS": SECRETS["speedocom", "default"],
        # Before a partition is assigned, a standby may have filled its cache: nothing would be rebuilt then.
        "STATE__STANDBY": "none",
        "HTTP__MAX_WAITING": "2",
        "HTTP__MAX_CONNECTIONS": "400",
    }


async def happen(bridge: Bridge, providers: Providers) -> None:
    """Cause all kinds of events at both providers."""
    topics = bridge.topics
    for provider, words in {
        "dexatel": ("sent", "sent", "failed", "delivered", "sent"),
        "speedocom": ("SentToNetwork", "SentToNetwork", "DeliveryImpossible", "DeliveredToTerminal", "SentToNetwork"),
    }.items():
        corrected, polled, silent = (message(provider) for _ in range(3))
        says = dexatel_says("delivered") if provider == "dexatel" else speedocom_says("DeliveredToTerminal")
        providers.script(corrected.provider_message_id, [NOT_FOUND])
        providers.script(polled.provider_message_id, [Reply(b"", 500), Reply(b"", 429, {"Retry-After": "0"}), says])
        await bridge.send_and_wait(corrected)
        await bridge.report_all(corrected, *words[:2])
        assert await bridge.report(corrected, words[2], **DETAILS[provider]) == 200
        await bridge.report_all(corrected, *words[3:])
        await bridge.report_all(corrected, "nobody-mapped-this")
        await bridge.send(polled)
        await bridge.send(silent, give_up_at=(datetime.now(UTC) + timedelta(seconds=2)).isoformat())
        await bridge.send(message(provider))
        assert (await bridge.wait_for_final(silent, LONG))["status"] == "unknown"
        assert (await bridge.wait_for_final(polled, LONG))["source"] == "poll"
        assert await bridge.report(message(provider), "delivered", timestamp="2026-01-31 12:00:00") == 200  # parked
    await topics.publish(b"{")
    await topics.publish(None)
    assert (await bridge.client.get(f"{bridge.service.url}/dlr/dexatel/not-the-secret-0123456")).status_code == 404
    assert (await bridge.client.get(f"{bridge.url('dexatel')}?id=1")).status_code == 200  # unreadable
    busy = message()
    answers = await asyncio.gather(*(bridge.report(busy, "delivered") for _ in range(30)))
    assert 503 in answers
    await topics.wait_until_folded(LONG)
    at = urlsplit(bridge.service.url)
    crowd = [await asyncio.open_connection(at.hostname, at.port) for _ in range(101)]
    for _, writer in crowd:
        writer.close()


async def fence(bridge: Bridge) -> None:
    """Fence the producer of every partition, so that the workers restart."""
    for number in range(4):
        taken = Producer(
            {
                "bootstrap.servers": bridge.topics.settings["KAFKA__BOOTSTRAP_SERVERS"],
                "transactional.id": f"{bridge.topics.group}.tracker.{bridge.topics.journal}.{number}",
                "log_level": 0,
            }
        )
        await asyncio.to_thread(taken.init_transactions, 30)


@pytest_asyncio.fixture(scope="module")
async def seen(fleet: Fleet, providers: Providers, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Seen]:
    """A bridge with accidents: events, a lost disk, more events, fenced workers."""
    async with fleet.topics() as topics:
        folder, authority = tmp_path_factory.mktemp("prometheus"), trustme.CA()
        secret = MountedSecret(folder / "secret")
        secret.write(issue(authority))
        tls = {"HTTP__TLS_CERT": str(secret.path(CERTIFICATE)), "HTTP__TLS_KEY": str(secret.path(KEY))}
        service = fleet.service({**topics.settings, **settings(providers.url), **tls})
        service.url = service.url.replace("http:", "https:")
        target = service.admin_url.removeprefix("http://")
        async with (
            Prometheus(target, ALERTS, folder / "server") as prometheus,
            httpx.AsyncClient(verify=trust(authority), timeout=20) as client,
        ):
            bridge = Bridge(service, topics, client, SECRETS)
            async with service:
                await happen(bridge, providers)
            await asyncio.to_thread(shutil.rmtree, service.state)
            async with service:
                # Counters are seen before and after they move.
                for _ in range(2):
                    await happen(bridge, providers)
                    await prometheus.wait_until_scraped()
                await fence(bridge)
                await happen(bridge, providers)
                await prometheus.wait_until_scraped()
                yield Seen(prometheus, await prometheus.rules())


def ready(query: str) -> str:
    """Return a query as Grafana sends it, without its default of 0."""
    for name, value in LOOKED_AT.items():
        query = query.replace(name, value)
    return OFFSET.sub("", query).removesuffix(OR_ZERO)


@pytest.mark.parametrize(
    ("panel", "query"),
    [
        pytest.param(f"{board.title}: {panel.title}", query, id=f"{file}-{panel.title}-{legend}")
        for file, board in DASHBOARDS.items()
        for row in board.rows
        for panel in row.panels
        for legend, query in panel.queries.items()
    ],
)
async def test_every_panel_has_data(seen: Seen, panel: str, query: str) -> None:
    """Every query of every panel returns values once its events have happened."""
    found = await seen.prometheus.query(ready(query))
    values = [sample.value for sample in found]
    assert values, panel
    assert any(not math.isnan(value) for value in values), panel


async def test_today_is_shown_where_it_begins(seen: Seen) -> None:
    """The point of a day has what has happened since its beginning: its window reaches into the future."""
    panels = {panel.title: panel for row in PROVIDERS.rows for panel in row.panels}
    [query] = panels["Sent"].queries.values()
    for name, value in LOOKED_AT.items():
        query = query.replace(name, value)
    lately = datetime.now(UTC) - timedelta(minutes=1)
    midnight = lately.replace(hour=0, minute=0, second=0, microsecond=0).timestamp()
    found = await seen.prometheus.query(query, midnight)
    assert {sample.labels["provider"] for sample in found if sample.value > 0} == {"dexatel", "speedocom"}
    assert await seen.prometheus.query(query, midnight - timedelta(days=2).total_seconds()) == []


@pytest.mark.parametrize(("name", "query"), [(name, query) for name, _, query, _, _ in ANNOTATIONS])
async def test_annotations_have_data(seen: Seen, name: str, query: str) -> None:
    """Each mark in the graphs is made of existing series. A version is new if it wasn't there before."""
    assert await seen.prometheus.query(ready(query.split(" unless ", maxsplit=1)[0])), name
    assert (name == "Versions") is (" unless " in query)
    await seen.prometheus.query(ready(query))


@pytest.mark.parametrize("name", VARIABLES)
async def test_variables_have_choices(seen: Seen, name: str) -> None:
    """Each choice of the viewer has values."""
    [(selector, label)] = re.findall(r"label_values\((.+), (\w+)\)", VARIABLES[name])
    found = await seen.prometheus.query(ready(selector))
    assert found, name
    assert all(sample.labels.get(label) for sample in found), name


async def test_prometheus_evaluates_every_alert(seen: Seen) -> None:
    """Prometheus loads the chart's rules and evaluates each without error on real series."""
    assert {rule["name"] for rule in seen.alerts} == {rule["alert"] for rule in rules()}
    assert {rule["name"]: rule.get("lastError") for rule in seen.alerts if rule["health"] != "ok"} == {}


@pytest.mark.parametrize("alert", [rule["alert"] for rule in rules()])
async def test_alert_series_exist(seen: Seen, alert: str) -> None:
    """Every series that an alert uses exists once its event has happened, so no alert has a wrong label."""
    (rule,) = (rule for rule in rules() if rule["alert"] == alert)
    for selector in SELECTOR.findall(rule["expr"]):
        assert await seen.prometheus.query(f"last_over_time({selector}[10m])"), selector
