"""`check` of a schema registry: what is wrong with it has its remedy, and nothing is registered."""

import asyncio
from collections.abc import AsyncIterator, Mapping

import pytest
import pytest_asyncio

from bridge.tools.check_registry import check_registry
from tests.support.kafka.schema_registry import Registry, listening, registered
from tests.support.settings import settings_of

LOGIN = "check SMS_BRIDGE_REGISTRY__USERNAME and SMS_BRIDGE_REGISTRY__PASSWORD"
PLACE = "is SMS_BRIDGE_REGISTRY__URL right, and may this machine reach it?"


@pytest_asyncio.fixture
async def registry() -> AsyncIterator[Registry]:
    """A registry."""
    async with listening() as running:
        yield running


@pytest.mark.parametrize(
    ("subject", "told"),
    [
        ("sms.other-value", "it answers, and gets at the start the schema of sms.delivery-value"),
        ("sms.delivery-value", "it answers, and has the schema of sms.delivery-value"),
    ],
)
async def test_a_registry_that_answers_is_fine(registry: Registry, subject: str, told: str) -> None:
    """Whether it has the schema yet or not."""
    registry.subjects = before = {subject: "{}"}
    finding = await check_registry(settings_of(**registered(registry)))
    assert (finding.area, finding.level, finding.subject, finding.told) == ("registry", "ok", registry.url, told)
    assert registry.subjects == before


@pytest.mark.parametrize(
    ("change", "told", "remedy"),
    [
        ({"PASSWORD": "another-password-of-it"}, "the registry refuses the credentials: Unauthorized", LOGIN),
        ({"URL": "http://127.0.0.1:1"}, "no registry answers: the connection is refused", PLACE),
        ({"URL": "http://no-such-host.invalid"}, "no registry answers: the name isn't found", PLACE),
        ({"URL": "{url}/elsewhere"}, "the registry has no usable answer: status 404", PLACE),
    ],
)
async def test_a_wrong_registry_has_its_remedy(
    registry: Registry, change: Mapping[str, str], told: str, remedy: str
) -> None:
    """Credentials or a place, as the answer says; another program's 404 doesn't mean that a schema is missing."""
    changed = {name: value.format(url=registry.url) for name, value in change.items()}
    finding = await check_registry(settings_of(**registered(registry, **changed)))
    assert (finding.level, finding.told) == ("wrong", told)
    assert finding.remedy.startswith(remedy)


async def test_a_registry_with_a_fault_is_found(registry: Registry) -> None:
    """The service could not start beside it."""
    registry.is_away = True
    finding = await check_registry(settings_of(**registered(registry)))
    assert (finding.level, finding.told) == ("wrong", "the registry has no usable answer: Error while forwarding")


async def test_a_registry_that_never_ends_its_answer_is_found() -> None:
    """The time of the whole answer is bounded, not that between two bytes."""

    async def trickle(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        try:
            while True:
                writer.write(b"1\r\n \r\n")
                await writer.drain()
                await asyncio.sleep(0.01)
        except ConnectionError:
            writer.close()

    server = await asyncio.start_server(trickle, "127.0.0.1", 0)
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        finding = await check_registry(settings_of(REGISTRY__URL=url), timeout=0.2)
    assert (finding.level, finding.told, finding.remedy) == ("wrong", "no answer in time", PLACE)
