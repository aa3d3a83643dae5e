"""With users, certificates and ACLs: the documented ACLs are sufficient, and each is needed."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from tests.support.kafka.acls import Right, documented
from tests.support.kafka.proxy import Proxy
from tests.support.kafka.secured import PASSWORD, Guarded, guarded
from tests.support.service.accounts import SECRETS, secrets
from tests.support.service.bridge import Bridge
from tests.support.service.fleet import Fleet
from tests.support.service.process import run_refused
from tests.support.service.topics import Topics
from tests.support.waiting import wait_until

pytestmark = pytest.mark.long


ONLY_CALLBACKS = {**secrets("dexatel"), "DEXATEL__POLL": "never"}
COMPLAINTS = ("uthorization", "can't be read; they are not checked")
"""What the log says when Kafka refuses something."""


@pytest_asyncio.fixture(scope="module")
async def kafka_with_users(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Guarded]:
    """A Kafka for all tests of this file; each test has its own names."""
    async with guarded(tmp_path_factory.mktemp("certificates")) as cluster:
        yield cluster


def rights_of(topics: Topics, rights: Iterable[Right]) -> list[Right]:
    """Return documented ACLs with the names of an installation."""
    names = {
        "sms.sent": topics.sent[0],
        "sms.delivery": topics.delivery,
        "sms-bridge.journal": topics.journal,
        "sms-bridge.state": topics.state,
        "sms-bridge.dead-letter": topics.dead_letter,
        "sms-bridge": topics.group,
    }
    return [right._replace(name=names[right.name]) for right in rights]


@pytest.mark.parametrize(
    ("protocol", "mechanism"),
    [("SASL_PLAINTEXT", "PLAIN"), ("SASL_PLAINTEXT", "SCRAM-SHA-512"), ("SASL_SSL", "PLAIN")],
)
async def test_documented_acls_are_sufficient(
    fleet: Fleet, kafka_with_users: Guarded, client: httpx.AsyncClient, protocol: str, mechanism: str
) -> None:
    """With the documented ACLs every function works, with TLS and without."""
    async with fleet.topics(bootstrap_servers=kafka_with_users.bootstrap_servers) as topics:
        await asyncio.to_thread(kafka_with_users.allow, rights_of(topics, documented()))
        service = fleet.service({**topics.settings, **ONLY_CALLBACKS, **kafka_with_users.settings(protocol, mechanism)})
        bridge = Bridge(service, topics, client, SECRETS)
        for _ in range(2):
            async with service:
                one = await bridge.send_and_wait()
                await bridge.report_all(one, "sent", "delivered")
                assert [event["status"] for event in await bridge.events(one, 2)] == ["sent", "delivered"]
                await topics.publish(b"{")
                await topics.wait_until_folded()
        assert len(topics.dead_letters) == 2
        assert "uthorization" not in service.log


@pytest.mark.parametrize("lacking", documented(), ids=lambda right: f"{right.operation} {right.name}")
async def test_each_documented_acl_is_needed(
    fleet: Fleet, kafka_with_users: Guarded, client: httpx.AsyncClient, lacking: Right
) -> None:
    """Without any one of the ACLs the log names the problem, so that no ACL is superfluous."""
    async with fleet.topics(bootstrap_servers=kafka_with_users.bootstrap_servers) as topics:
        rights = [right for right in documented() if right != lacking]
        await asyncio.to_thread(kafka_with_users.allow, rights_of(topics, rights))
        settings = kafka_with_users.settings("SASL_PLAINTEXT", "PLAIN")
        service = fleet.service({**topics.settings, **ONLY_CALLBACKS, **settings})
        bridge = Bridge(service, topics, client, SECRETS)

        seen = 0, 0

        def complains() -> bool:
            return not service.running or any(word in service.log for word in COMPLAINTS)

        async def works_or_complains() -> bool:
            if complains() or not await service.is_ready():
                return complains()
            await topics.publish(b"{")
            assert await bridge.report(await bridge.send(), "sent") in {200, 503}
            await topics.read()
            works = len(topics.dead_letters) > seen[0] and len(topics.events) > seen[1]
            # A partition without states works at once; what the others lack shows when they are restored.
            _, readiness = await service.fetch("/readyz")
            return works and not json.loads(readiness)["restoring"]

        # The second time without its disk, which takes rights of its own.
        for _ in range(2):
            seen = len(topics.dead_letters), len(topics.events)
            try:
                await service.start(ready=False)
                await wait_until(works_or_complains, 60, lambda: f"neither works nor complains:\n{service.tail()}")
                complained = complains()
            finally:
                await service.kill()
            if complained:
                return
            await asyncio.to_thread(shutil.rmtree, service.state)
        pytest.fail(f"it does without {lacking}")


async def test_acl_lost_for_a_while(fleet: Fleet, kafka_with_users: Guarded, client: httpx.AsyncClient) -> None:
    """The log reports a group that may not be read; it is joined again when the ACL is back."""
    async with fleet.topics(bootstrap_servers=kafka_with_users.bootstrap_servers) as topics:
        rights = rights_of(topics, documented())
        await asyncio.to_thread(kafka_with_users.allow, rights)
        settings = kafka_with_users.settings("SASL_PLAINTEXT", "PLAIN")
        async with fleet.service({**topics.settings, **ONLY_CALLBACKS, **settings}) as service:
            bridge = Bridge(service, topics, client, SECRETS)
            one = await bridge.send_and_wait()
            lost = [right for right in rights if right.resource == "Group" and right.operation == "Read"]
            await asyncio.to_thread(kafka_with_users.forbid, lost)

            async def outside() -> bool:
                return "rejoining the tracker's group" in service.log and not await service.is_ready()

            await wait_until(outside, 60, lambda: f"it doesn't notice:\n{service.tail()}")
            await asyncio.to_thread(kafka_with_users.allow, lost)
            await wait_until(service.is_ready, 60, lambda: f"it isn't ready again:\n{service.tail()}")
            await bridge.report_all(one, "sent", "delivered")
            assert [event["status"] for event in await bridge.events(one, 2)] == ["sent", "delivered"]


async def test_missing_rights_are_one_line(fleet: Fleet, kafka_with_users: Guarded, tmp_path: Path) -> None:
    """A user without ACLs is told what it lacks."""
    async with fleet.topics(bootstrap_servers=kafka_with_users.bootstrap_servers) as topics:
        settings = {**topics.settings, **ONLY_CALLBACKS, **kafka_with_users.settings("SASL_PLAINTEXT", "PLAIN")}
        code, lines = await run_refused(settings, tmp_path / "no-rights")
        assert code == 1
        assert len(lines) == 1, lines


UNREACHABLE: dict[str, tuple[dict[str, str], str]] = {
    "a wrong password": ({"KAFKA__SASL_PASSWORD": "wrong"}, "SASL_PASSWORD"),
    "another mechanism": ({"KAFKA__SASL_MECHANISM": "SCRAM-SHA-256"}, "SASL_MECHANISM"),
    "no login": ({"KAFKA__SECURITY_PROTOCOL": "PLAINTEXT"}, "SECURITY_PROTOCOL"),
    "TLS where there is none": ({"KAFKA__SECURITY_PROTOCOL": "SASL_SSL"}, "SECURITY_PROTOCOL"),
    "no such host": ({"KAFKA__BOOTSTRAP_SERVERS": "kafka.invalid:9092"}, "name isn't found"),
    "nobody there": ({"KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:1"}, "refused"),
}


@pytest.mark.parametrize("what", UNREACHABLE)
async def test_unreachable_kafka_is_explained(
    fleet: Fleet, kafka_with_users: Guarded, tmp_path: Path, what: str
) -> None:
    """In one line, without the password: what failed, and which setting to look at."""
    changes, expected = UNREACHABLE[what]
    async with fleet.topics(bootstrap_servers=kafka_with_users.bootstrap_servers) as topics:
        settings = {**topics.settings, **ONLY_CALLBACKS, **kafka_with_users.settings("SASL_PLAINTEXT", "PLAIN")}
        code, lines = await run_refused({**settings, **changes}, tmp_path / "bridge")
        assert code == 1
        [line] = lines
        assert expected in line
        assert PASSWORD not in line


async def test_untrusted_certificate_is_explained(fleet: Fleet, kafka_with_users: Guarded, tmp_path: Path) -> None:
    """TLS fails, and the line says why."""
    async with fleet.topics(bootstrap_servers=kafka_with_users.bootstrap_servers) as topics:
        settings = {**topics.settings, **ONLY_CALLBACKS, **kafka_with_users.settings("SASL_SSL", "PLAIN")}
        settings = {name: value for name, value in settings.items() if name != "KAFKA__SSL_CAFILE"}
        code, lines = await run_refused(settings, tmp_path / "bridge")
        assert code == 1
        [line] = lines
        assert "TLS failed: " in line
        assert "SSL_CAFILE" in line


async def test_silent_kafka_is_explained(fleet: Fleet, tmp_path: Path) -> None:
    """An address that takes connections and says nothing, like a firewall or a frozen broker."""
    async with Proxy() as proxy, fleet.topics() as topics:
        host, _, port = topics.settings["KAFKA__BOOTSTRAP_SERVERS"].partition(":")
        proxy.target = (host, int(port))
        proxy.freeze()
        settings = {**topics.settings, **ONLY_CALLBACKS, "KAFKA__BOOTSTRAP_SERVERS": f"127.0.0.1:{proxy.port}"}
        code, lines = await run_refused(settings, tmp_path / "bridge")
        assert code == 1
        [line] = lines
        assert "no answer within" in line
