"""Fixtures: the fleet, one shared bridge, and the check of all logs. A pytest plugin."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.support.service.accounts import OLD, RECENT, SECRETS, milliseconds, shared_settings
from tests.support.service.bridge import Bridge
from tests.support.service.fleet import Fleet
from tests.support.service.providers import Providers


@pytest_asyncio.fixture(scope="session")
async def fleet(kafka: str, tmp_path_factory: pytest.TempPathFactory) -> Fleet:
    """Starts services."""
    return Fleet(kafka, tmp_path_factory.mktemp("services"))


@pytest.fixture(autouse=True)
def clean_logs(request: pytest.FixtureRequest) -> Iterator[None]:
    """After each test, no service's log has a traceback, an unretrieved exception or a secret."""
    yield
    fleet = request.node.funcargs.get("fleet")
    if fleet is not None:
        fleet.assert_clean_logs()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    """Add the last lines of each running bridge's log to a failure."""
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
    """The providers' polling APIs."""
    async with Providers() as server:
        yield server


@pytest_asyncio.fixture(scope="session")
async def bridge(fleet: Fleet, providers: Providers, client: httpx.AsyncClient) -> AsyncIterator[Bridge]:
    """The bridge that most tests share. Tests are separated by account and id."""
    async with fleet.topics() as topics:
        for one in (OLD, RECENT):
            await topics.publish(one.sent(), key=one.message_id, at=milliseconds(one))
        settings = {
            **topics.settings,
            **shared_settings(providers.url),
            "FOLLOW__PARK_FOR": "4s",
            "HTTP__TRUSTED_PROXIES": "127.0.0.0/8",
        }
        async with fleet.running(settings) as service:
            yield Bridge(service, topics, client, SECRETS)
