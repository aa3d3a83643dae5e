"""Problems are found and named with their remedy; correct settings pass; secrets are not shown."""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest
import pytest_asyncio
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # it means to export them
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    NewTopic,
    ResourcePatternType,
    ResourceType,
)

from bridge.sandbox.kafka.broker import Sandbox
from bridge.settings.loading import load_settings
from bridge.tools.check_settings import list_settings
from tests.support.kafka.schema_registry import listening, registered
from tests.support.ports import find_free_ports
from tests.support.service.bridge import Bridge
from tests.support.service.command import Said, sms_bridge
from tests.support.service.providers import Providers, Reply

pytestmark = pytest.mark.long


Settings = Mapping[str, str]


def wrong(said: Said) -> list[tuple[str, str]]:
    """Return the area and the subject of each problem."""
    assert said.document["ok"] == (said.code == 0)
    return [(x["area"], x["subject"]) for x in said.document["findings"] if x["level"] == "wrong"]


def remedies(said: Said) -> list[str]:
    """Return the remedies."""
    return [x["remedy"] for x in said.document["findings"] if x["level"] != "ok"]


async def test_sound_installation_passes(installation: Bridge, settings: Settings) -> None:
    """All parts are checked beside a running service, and nothing is written."""
    ends = await installation.topics.fetch_end_offsets(installation.topics.journal, installation.topics.delivery)
    said = await sms_bridge(settings, "check", "--json")
    assert (said.code, wrong(said)) == (0, [])
    assert {x["area"] for x in said.document["findings"]} == {
        *("settings", "kafka", "topics", "rights", "providers", "clock")
    }
    told = {x["subject"]: x["told"] for x in said.document["findings"]}
    assert told["dexatel:default"] == "the credentials are accepted"
    assert told["speedocom:default"] == "callbacks only, not polled"
    assert told["SMS_BRIDGE_DEXATEL__TOKEN"] == "set"
    assert (
        await installation.topics.fetch_end_offsets(installation.topics.journal, installation.topics.delivery) == ends
    )
    # A single broker keeps a single copy, which is worth a word each time.
    assert all(remedies(said))


async def test_credentials_and_errors_are_distinguished(
    installation: Bridge, settings: Settings, providers: Providers
) -> None:
    """A 401 is a wrong setting, a 500 the provider's error, a timeout may be either."""
    base = providers.url
    asked = {
        **settings,
        "DEXATEL__BASE_URL": f"{base}/check-refused",
        "DEXATEL__ACCOUNTS__SECOND__BASE_URL": f"{base}/check-troubled",
        "DEXATEL__ACCOUNTS__SIGNED__BASE_URL": f"http://127.0.0.1:{find_free_ports(1)[0]}",
        "SPEEDOCOM__POLL": "fallback",
        "SPEEDOCOM__BASE_URL": f"{base}/check-wrong-key",
    }
    providers.gate("check-refused", Reply({}, 401))
    providers.gate("check-troubled", Reply(b"oops", 500))
    providers.gate("check-wrong-key", Reply({"response-code": 1006}))
    said = await sms_bridge(asked, "check", "--json")
    assert said.code == 1
    levels = {x["subject"]: x["level"] for x in said.document["findings"] if x["area"] == "providers"}
    assert levels == {
        "dexatel:default": "wrong",
        "dexatel:second": "warning",
        "dexatel:signed": "wrong",
        "speedocom:default": "wrong",
    }
    assert "check SMS_BRIDGE_DEXATEL__TOKEN" in remedies(said)
    people = await sms_bridge(asked, "check")
    assert people.code == 1
    assert "3 wrong" in people.out


async def test_the_registry_is_asked_and_gets_nothing(settings: Settings) -> None:
    """One that refuses the credentials is found; of one that accepts them, nothing is changed."""
    async with listening() as registry:
        said = await sms_bridge({**settings, **registered(registry)}, "check", "--json")
        assert (said.code, registry.subjects) == (0, {})
        assert [x["subject"] for x in said.document["findings"] if x["area"] == "registry"] == [registry.url]
        wrongly = {**settings, **registered(registry, PASSWORD="another-password-of-it")}
        assert wrong(await sms_bridge(wrongly, "check", "--json")) == [("registry", registry.url)]


async def test_wrong_settings_are_listed(settings: Settings) -> None:
    """All are reported at once; other checks need valid settings."""
    said = await sms_bridge({**settings, "HTTP__PORT": "http", "DEXATEL__POLL": "often"}, "check", "--json")
    assert said.code == 1
    assert {subject for _, subject in wrong(said)} == {"SMS_BRIDGE_HTTP__PORT", "SMS_BRIDGE_DEXATEL__POLL"}


async def test_missing_kafka_is_a_finding(settings: Settings) -> None:
    """The providers are still checked."""
    away = {**settings, "KAFKA__BOOTSTRAP_SERVERS": f"127.0.0.1:{find_free_ports(1)[0]}"}
    said = await sms_bridge(away, "check", "--json")
    assert [area for area, _ in wrong(said)] == ["kafka"]
    assert "providers" in {x["area"] for x in said.document["findings"]}


async def test_unusable_topics_are_found(installation: Bridge, settings: Settings) -> None:
    """Wrong compaction, wrong partition counts, a missing topic and lost offsets are found."""
    topics, name = installation.topics, installation.topics.group
    await installation.send_and_wait()
    await topics.create([f"{name}.bad-journal"], 2, {"cleanup.policy": "compact"})
    await topics.create([f"{name}.bad-state", f"{name}.bad-latest"], 3, {"cleanup.policy": "delete"})
    bad = {
        **settings,
        "TOPICS__JOURNAL": f"{name}.bad-journal",
        "TOPICS__STATE": f"{name}.bad-state",
        "TOPICS__LATEST": f"{name}.bad-latest",
        "TOPICS__SENT": f"{name}.missing",
        "TOPICS__DELIVERY": f"{name}.missing-too",
        "KAFKA__CREATE_TOPICS": "false",
        "KAFKA__GROUP_ID": f"{name}.nobody",
    }
    said = await sms_bridge(bad, "check", "--json")
    found = wrong(said)
    assert ("topics", f"{name}.missing") in found
    assert ("topics", f"{name}.missing-too") in found
    # Compacted, and another count than the state topic.
    assert found.count(("topics", f"{name}.bad-journal")) == 2
    assert {("topics", f"{name}.bad-state"), ("topics", f"{name}.bad-latest")} <= set(found)
    lost = await sms_bridge({**settings, "KAFKA__GROUP_ID": f"{name}.nobody"}, "check", "--json")
    assert ("kafka", f"{name}.nobody.tracker") in wrong(lost)
    listed = await sms_bridge(bad, "topics", "--json")
    assert (listed.code, listed.document["missing"]) == (1, [f"{name}.missing-too"])
    fine = await sms_bridge(settings, "topics", "--json")
    assert (fine.code, [t["partitions"] for t in fine.document["topics"]]) == (0, [4, 4, 3, 3])


@pytest_asyncio.fixture(scope="module")
async def guarded() -> AsyncIterator[str]:
    """A Kafka with ACLs; nothing is forbidden yet."""
    config = {
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "allow.everyone.if.no.acl.found": "true",
    }
    async with Sandbox(config=config) as kafka:
        yield kafka.bootstrap_servers


DENIED = [
    (ResourceType.TOPIC, "sms-bridge.journal", AclOperation.WRITE, "topic sms-bridge.journal"),
    (ResourceType.TOPIC, "sms.sent", AclOperation.READ, "topic sms.sent"),
    (ResourceType.GROUP, "sms-bridge.tracker", AclOperation.DESCRIBE, "group sms-bridge.tracker"),
    (ResourceType.TRANSACTIONAL_ID, "sms-bridge.tracker.check", AclOperation.WRITE, "transactional id sms-bridge.…"),
]


async def test_missing_acls_are_found(guarded: str, settings: Settings, tmp_path: Path) -> None:
    """Each missing ACL is named with its remedy; the others pass."""
    admin: Any = AdminClient({"bootstrap.servers": guarded})
    for future in admin.create_topics([NewTopic("sms.sent", 1, 1)]).values():
        future.result()
    ours = {name: value for name, value in settings.items() if not name.startswith(("KAFKA", "TOPICS"))}
    ours |= {"KAFKA__BOOTSTRAP_SERVERS": guarded, "STATE__DIRECTORY": str(tmp_path)}
    assert (await sms_bridge(ours, "topics", "--apply")).code == 0
    rules = [
        AclBinding(kind, name, ResourcePatternType.LITERAL, "User:ANONYMOUS", "*", asked, permission)
        for kind, name, operation, _ in DENIED
        # What has a rule has to have one for everything.
        for asked, permission in ((operation, AclPermissionType.DENY), (AclOperation.ALL, AclPermissionType.ALLOW))
    ]
    for future in admin.create_acls(rules).values():
        future.result()
    said = await sms_bridge(ours, "check", "--json")
    rights = [subject for area, subject in wrong(said) if area == "rights"]
    assert sorted(rights) == sorted(subject for *_, subject in DENIED), said.document


SAMPLE = {"type": "sms.sent", "at": 1_769_850_000, "data": {"id": 5, "via": "DX", "ref": "0042"}}
MAPPING = {
    "SENT__FIELDS": '{"message_id":"/data/id","provider_message_id":"/data/ref",'
    '"sent_at":"/at","provider":"/data/via"}',
    "SENT__PROVIDERS": '{"DX":"dexatel"}',
    "SENT__WHERE": '{"/type":["sms.sent"]}',
}


async def test_sample_is_explained(settings: Settings, tmp_path: Path) -> None:
    """For each member: the source, the value and its interpretation."""
    file = tmp_path / "sample.json"
    file.write_bytes(orjson.dumps(SAMPLE))
    said = await sms_bridge({**settings, **MAPPING}, "check", "--sample", str(file), "--json")
    assert (said.code, said.document["readable"]) == (0, True)
    members = {m["name"]: (m["place"], m["found"], m["taken"]) for m in said.document["members"]}
    assert members["message_id"] == ("/data/id", 5, "5")
    assert members["provider"] == ("/data/via", "DX", "dexatel")
    assert members["sent_at"] == ("/at", 1_769_850_000, "2026-01-31T09:00:00.000Z")
    assert members["sender"] == (None, None, None)
    people = await sms_bridge({**settings, **MAPPING}, "check", "--sample", str(file))
    assert "Attempt dexatel:default:0042" in people.out


@pytest.mark.parametrize(
    ("value", "verdict"),
    [
        (orjson.dumps({**SAMPLE, "type": "sms.planned"}), "SENT__WHERE turns it down at /type"),
        (orjson.dumps({**SAMPLE, "data": {**SAMPLE["data"], "ref": None}}), "looked for at /data/ref"),  # type: ignore[dict-item]
        (orjson.dumps({**SAMPLE, "data": {**SAMPLE["data"], "via": "XX"}}), "invalid"),  # type: ignore[dict-item]
        (b"no JSON", "malformed"),
    ],
)
async def test_unreadable_sample_is_explained(settings: Settings, tmp_path: Path, value: bytes, verdict: str) -> None:
    """The text is the same as in the dead letter."""
    file = tmp_path / "sample.json"
    file.write_bytes(value)
    said = await sms_bridge({**settings, **MAPPING}, "check", "--sample", str(file), "--json")
    assert (said.code, said.document["readable"]) == (1, False)
    assert verdict in said.document["verdict"]


def test_tables_are_readable() -> None:
    """Status tables are shown as text and not in their internal form."""
    statuses = '{"Ok":"delivered","Gone":{"status":"undelivered","reason":"absent_subscriber"}}'
    webhook = {"ID": "/id", "STATUS": "/s", "STATUSES": statuses, "WHERE": '{"/event":["dlr"]}'}
    variables = {f"SMS_BRIDGE_WEBHOOKS__ACME__{name}": value for name, value in webhook.items()}
    secret = {"SMS_BRIDGE_WEBHOOKS__ACME__CALLBACK_SECRETS": "secret-of-acme-0123"}
    settings = load_settings({"SMS_BRIDGE_KAFKA__BOOTSTRAP_SERVERS": "kafka:9092", **variables, **secret})
    shown = {finding.subject: finding.told for finding in list_settings(settings)}
    assert shown["SMS_BRIDGE_WEBHOOKS__ACME__STATUSES"] == "Ok → delivered, Gone → undelivered (absent_subscriber)"
    assert shown["SMS_BRIDGE_WEBHOOKS__ACME__WHERE"] == "/event → dlr"
