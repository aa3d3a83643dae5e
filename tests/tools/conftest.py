"""One running bridge that the commands look at: its accounts, its topics, and settings as a person would have them."""

from collections.abc import AsyncIterator, Mapping
from datetime import timedelta

import httpx
import pytest
import pytest_asyncio

from tests.service.conftest import client, fleet, providers, pytest_runtest_makereport
from tests.service.harness.bridge import Bridge
from tests.service.harness.fleet import Fleet
from tests.service.harness.providers import API_KEY, PARTNER_ID, TOKEN, Providers

__all__ = ["client", "fleet", "providers", "pytest_runtest_makereport"]

HOOK_SECRET = "hook-secret-of-the-signed-account"
SECRETS = {
    ("dexatel", "default"): "secret-dexatel-default-0123",
    ("dexatel", "second"): "secret-dexatel-second-0123",
    ("dexatel", "signed"): "secret-dexatel-signed-0123",
    ("speedocom", "default"): "secret-speedocom-default-0123",
}
BRIEF = timedelta(seconds=2)
"""How long an early report waits for its sent event."""


def accounts(url: str) -> dict[str, str]:
    """Settings of both providers; `url` is where they are asked."""
    return {
        "DEXATEL__BASE_URL": f"{url}/default",
        "DEXATEL__TOKEN": TOKEN,
        "DEXATEL__POLL_PATH": "/dlr/{id}",
        "DEXATEL__POLL": "6h",
        "DEXATEL__ACCOUNTS__SIGNED__WEBHOOK_SECRET": HOOK_SECRET,
        "SPEEDOCOM__BASE_URL": f"{url}/default",
        "SPEEDOCOM__API_KEY": API_KEY,
        "SPEEDOCOM__PARTNER_ID": PARTNER_ID,
        "SPEEDOCOM__POLL": "never",
        **{_secret(*account): secret for account, secret in SECRETS.items()},
    }


def _secret(provider: str, account: str) -> str:
    place = "" if account == "default" else f"ACCOUNTS__{account.upper()}__"
    return f"{provider.upper()}__{place}CALLBACK_SECRETS"


@pytest_asyncio.fixture(scope="session")
async def installation(fleet: Fleet, providers: Providers, client: httpx.AsyncClient) -> AsyncIterator[Bridge]:
    """The bridge that the commands are asked about."""
    async with fleet.topics() as topics:
        settings = {**topics.settings, **accounts(providers.url), "FOLLOW__PARK_FOR": f"{BRIEF.seconds}s"}
        async with fleet.running(settings) as service:
            yield Bridge(service, topics, client, SECRETS)


@pytest.fixture
def settings(installation: Bridge) -> Mapping[str, str]:
    """What the commands are told: the same as the service."""
    return installation.service.settings
