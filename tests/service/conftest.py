"""One busy bridge that most tests share, with an account for every way of being set up; and a look at all logs."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.service.harness.bridge import Bridge, Message, message
from tests.service.harness.fleet import Fleet
from tests.service.harness.providers import API_KEY, PARTNER_ID, TOKEN, Providers

WEBHOOK_SECRET = "hook-secret-of-the-signed-account"
ROTATED = "the-next-secret-of-dexatel"
SECRETS = {
    (provider, account): f"secret-{provider}-{account}-0123"
    for provider, accounts in {
        "dexatel": ("default", "signed", "second", "walled", "brief", "polled"),
        "speedocom": ("default", "second", "brief", "polled"),
    }.items()
    for account in accounts
}


@pytest_asyncio.fixture(scope="session")
async def fleet(kafka: str, tmp_path_factory: pytest.TempPathFactory) -> Fleet:
    """What starts services."""
    return Fleet(kafka, tmp_path_factory.mktemp("services"))


@pytest.fixture(autouse=True)
def clean_logs(fleet: Fleet) -> Iterator[None]:
    """At the end of each test no log of any service has a traceback, a lost exception or a secret."""
    yield
    fleet.assert_clean_logs()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    """Show the end of each running bridge's log beside a failure."""
    report = yield
    fleet = getattr(item, "funcargs", {}).get("fleet")
    if report.failed and fleet is not None:
        for service in fleet.services[-3:] if len(fleet.services) > 3 else fleet.services:
            report.sections.append((f"log of the bridge at {service.url}", service.tail()))
    return report


@pytest_asyncio.fixture(scope="session")
async def client() -> AsyncIterator[httpx.AsyncClient]:
    """An HTTP client for callbacks."""
    async with httpx.AsyncClient(timeout=20) as made:
        yield made


@pytest_asyncio.fixture(scope="session")
async def providers() -> AsyncIterator[Providers]:
    """The providers' look-up interfaces."""
    async with Providers() as server:
        yield server


def secrets(provider: str, account: str = "default") -> dict[str, str]:
    """The setting of one account's callback secret."""
    place = "" if account == "default" else f"ACCOUNTS__{account.upper()}__"
    return {f"{provider.upper()}__{place}CALLBACK_SECRETS": SECRETS[provider, account]}


def _accounts(url: str) -> dict[str, str]:
    settings = {
        "DEXATEL__TOKEN": TOKEN,
        "DEXATEL__POLL_PATH": "/dlr/{id}",
        "DEXATEL__POLL": "never",
        "DEXATEL__ACCOUNTS__SIGNED__WEBHOOK_SECRET": WEBHOOK_SECRET,
        "DEXATEL__ACCOUNTS__WALLED__ALLOWED_NETWORKS": "192.0.2.0/24,2001:db8::/32",
        "DEXATEL__ACCOUNTS__BRIEF__GIVE_UP_AFTER": "3s",
        "DEXATEL__ACCOUNTS__POLLED__POLL": "1s,2s,3s,4s,5s,6s",
        "DEXATEL__ACCOUNTS__V1__API": "v1",
        "DEXATEL__ACCOUNTS__V1__POLL": "1s,2s,3s",
        "DEXATEL__ACCOUNTS__REFUSED__POLL": "1s",
        "DEXATEL__ACCOUNTS__LIMITED__POLL": "500ms,1s,1500ms,2s,2500ms,3s",
        "DEXATEL__ACCOUNTS__FLAKY__POLL": "1s",
        "DEXATEL__ACCOUNTS__FLAKY__POLL_TIMEOUT": "500ms",
        "DEXATEL__ACCOUNTS__LAST__POLL": "1h",
        "DEXATEL__ACCOUNTS__LAST__GIVE_UP_AFTER": "7s",
        "DEXATEL__ACCOUNTS__OUTLIVED__POLL": "1h",
        "DEXATEL__ACCOUNTS__OUTLIVED__GIVE_UP_AFTER": "6s",
        "SPEEDOCOM__API_KEY": API_KEY,
        "SPEEDOCOM__PARTNER_ID": PARTNER_ID,
        "SPEEDOCOM__POLL": "never",
        "SPEEDOCOM__ACCOUNTS__BRIEF__GIVE_UP_AFTER": "3s",
        "SPEEDOCOM__ACCOUNTS__POLLED__POLL": "1s,2s,3s,4s,5s,6s",
        "SPEEDOCOM__ACCOUNTS__REFUSED__POLL": "1s",
        "SPEEDOCOM__ACCOUNTS__ALWAYS__POLL": "always",
    }
    for provider, account in SECRETS:
        settings |= secrets(provider, account)
    settings["DEXATEL__CALLBACK_SECRETS"] += f",{ROTATED}"
    for provider, names in {
        "DEXATEL": "SIGNED SECOND WALLED BRIEF POLLED V1 REFUSED LIMITED FLAKY LAST OUTLIVED",
        "SPEEDOCOM": "SECOND BRIEF POLLED REFUSED ALWAYS",
    }.items():
        settings[f"{provider}__BASE_URL"] = f"{url}/default"
        for name in names.split():
            settings[f"{provider}__ACCOUNTS__{name}__BASE_URL"] = f"{url}/{provider.lower()}-{name.lower()}"
            settings[f"{provider}__ACCOUNTS__{name}__RATE_PER_SECOND"] = "400"
    return settings


OLD = message(age=timedelta(hours=49))
RECENT = message(age=timedelta(hours=1))
"""Sent events that the topic holds before the shared bridge is started for the first time."""


def milliseconds(one: Message) -> int:
    """When a message was sent, as Kafka writes times."""
    return round(datetime.fromisoformat(one.sent_at).astimezone(UTC).timestamp() * 1000)


@pytest_asyncio.fixture(scope="session")
async def bridge(fleet: Fleet, providers: Providers, client: httpx.AsyncClient) -> AsyncIterator[Bridge]:
    """The bridge that most tests share. What they are about differs by account and by id."""
    async with fleet.topics() as topics:
        for one in (OLD, RECENT):
            await topics.publish(one.sent(), key=one.message_id, at=milliseconds(one))
        settings = {
            **topics.settings,
            **_accounts(providers.url),
            "FOLLOW__PARK_FOR": "4s",
            "HTTP__TRUSTED_PROXIES": "127.0.0.0/8",
        }
        async with fleet.running(settings) as service:
            yield Bridge(service, topics, client, SECRETS)
