"""A bridge with wrong settings doesn't start: one line names what is wrong, and the exit code is 1."""

import asyncio
import socket
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from confluent_kafka import ConsumerGroupTopicPartitions
from confluent_kafka import TopicPartition as Place

from tests.support.ports import find_free_ports
from tests.support.service.accounts import CALLBACKS_ONLY
from tests.support.service.bridge import message
from tests.support.service.fleet import Fleet
from tests.support.service.process import environment, run_refused
from tests.support.service.topics import Topics

pytestmark = pytest.mark.long


SECRET = CALLBACKS_ONLY["DEXATEL__CALLBACK_SECRETS"]
NOWHERE = {"KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:1", **CALLBACKS_ONLY}


async def line_of(settings: Mapping[str, str], folder: Path, *arguments: str) -> str:
    """Start a service that must not start, and return its one line."""
    code, lines = await run_refused(settings, folder, *arguments)
    assert code == 1, lines
    [line] = lines
    assert line.startswith("sms-bridge: "), line
    assert SECRET not in line
    return line


POLLED = {"DEXATEL__BASE_URL": "http://127.0.0.1:1", "DEXATEL__TOKEN": "t" * 32, "DEXATEL__POLL_PATH": "/dlr/{id}"}
SETTINGS: dict[str, tuple[dict[str, str | None], str]] = {
    "no Kafka": ({"KAFKA__BOOTSTRAP_SERVERS": None}, "KAFKA__BOOTSTRAP_SERVERS"),
    "a misspelt setting": ({"KAFKA__BOOTSTRAP_SERVER": "x"}, "KAFKA__BOOTSTRAP_SERVER"),
    "a misspelt group": ({"KAFAK__GROUP_ID": "x"}, "KAFAK__GROUP_ID"),
    "a port that is none": ({"HTTP__PORT": "eighty"}, "HTTP__PORT"),
    "a port too high": ({"HTTP__PORT": "70000"}, "HTTP__PORT"),
    "a duration without a unit": ({"FOLLOW__PARK_FOR": "90"}, "FOLLOW__PARK_FOR"),
    "a secret too short": ({"DEXATEL__CALLBACK_SECRETS": "short"}, "DEXATEL__CALLBACK_SECRETS"),
    "a mode that is none": ({"DEXATEL__POLL": "sometimes"}, "DEXATEL__POLL"),
    "a hash without a key": ({"PRIVACY__RECIPIENT": "hash"}, "PRIVACY__HASH_KEY"),
    "a table that is no JSON": ({"SENT__FIELDS": "a=b"}, "SENT__FIELDS"),
    "a status that is none": ({"DEXATEL__STATUSES": '{"lost": "vanished"}'}, "DEXATEL__STATUSES"),
    "a zone that is none": ({"SPEEDOCOM__TIMEZONE": "Mars/Olympus"}, "SPEEDOCOM__TIMEZONE"),
    "networks that are none": ({"DEXATEL__ALLOWED_NETWORKS": "everybody"}, "DEXATEL__ALLOWED_NETWORKS"),
    "polls without a token": ({**POLLED, "DEXATEL__POLL": "always", "DEXATEL__TOKEN": None}, "DEXATEL__TOKEN"),
    "polls without a path": ({**POLLED, "DEXATEL__POLL": "1s", "DEXATEL__POLL_PATH": None}, "DEXATEL__POLL_PATH"),
    "a path without an id": ({**POLLED, "DEXATEL__POLL_PATH": "/dlr"}, "DEXATEL__POLL_PATH should contain {id}"),
    "polls without a key": (
        {"SPEEDOCOM__POLL": "fallback", "SPEEDOCOM__BASE_URL": "http://127.0.0.1:1", "SPEEDOCOM__PARTNER_ID": "1"},
        "SPEEDOCOM__API_KEY",
    ),
    "neither polls nor secrets": ({"DEXATEL__CALLBACK_SECRETS": None}, "DEXATEL__CALLBACK_SECRETS"),
    "two accounts with one secret": ({"DEXATEL__ACCOUNTS__B__CALLBACK_SECRETS": SECRET}, "CALLBACK_SECRETS"),
    "a host that no name can be": ({"KAFKA__BOOTSTRAP_SERVERS": "kafka..svc:9092"}, "KAFKA__BOOTSTRAP_SERVERS"),
    "Kafka that isn't there": ({}, "KAFKA__BOOTSTRAP_SERVERS"),
}


async def test_every_wrong_setting_is_named_in_one_line(tmp_path: Path) -> None:
    """The line names the variable to correct, and has no secret."""
    slots = asyncio.Semaphore(3)

    async def start_and_read(number: int, changes: Mapping[str, str | None]) -> str:
        settings = {name: value for name, value in {**NOWHERE, **changes}.items() if value is not None}
        async with slots:
            return await line_of(settings, tmp_path / str(number))

    lines = await asyncio.gather(
        *(start_and_read(number, changes) for number, (changes, _) in enumerate(SETTINGS.values()))
    )
    unnamed = {what: line for (what, (_, name)), line in zip(SETTINGS.items(), lines, strict=True) if name not in line}
    assert not unnamed


async def test_several_wrong_settings_are_a_line_each(tmp_path: Path) -> None:
    """One start shows all mistakes."""
    code, lines = await run_refused({**NOWHERE, "HTTP__PORT": "x", "FOLLOW__EMIT": "some"}, tmp_path)
    assert code == 1
    assert {line.split()[1] for line in lines} == {"SMS_BRIDGE_HTTP__PORT", "SMS_BRIDGE_FOLLOW__EMIT"}


@pytest.mark.parametrize("roles", ["poll", "fly", ""])
async def test_roles_that_cant_be_are_refused(tmp_path: Path, roles: str) -> None:
    """An unknown role is rejected, and so are polls without the state that they require."""
    code, lines = await run_refused(NOWHERE, tmp_path, "--roles", roles)
    assert code != 0
    assert "roles" in "\n".join(lines)
    assert "Traceback" not in "\n".join(lines)


@pytest.mark.parametrize("shared", [False, True])
async def test_a_port_in_use_is_named(fleet: Fleet, tmp_path: Path, shared: bool) -> None:  # noqa: FBT001 - a parameter
    """For both listeners, and also if the other process shares the port, as another bridge would."""
    async with fleet.topics() as topics:
        with socket.create_server(("127.0.0.1", 0), reuse_port=shared) as taken:
            port = taken.getsockname()[1]
            for name, other in (("HTTP", "ADMIN"), ("ADMIN", "HTTP")):
                at = {f"{name}__PORT": str(port), f"{other}__PORT": "0"}
                hosts = {"HTTP__HOST": "127.0.0.1", "ADMIN__HOST": "127.0.0.1"}
                line = await line_of({**topics.settings, **CALLBACKS_ONLY, **at, **hosts}, tmp_path / name)
                assert f"SMS_BRIDGE_{name}__PORT" in line
                assert str(port) in line


async def test_a_port_in_use_moves_no_partitions(fleet: Fleet, tmp_path: Path) -> None:
    """The process that can't start never joins the groups of those that run."""
    async with fleet.topics() as topics:
        settings = {**topics.settings, **CALLBACKS_ONLY}
        async with fleet.running(settings) as service:
            before = service.log.count("partitions assigned")
            with socket.create_server(("127.0.0.1", 0)) as taken:
                at = {"HTTP__HOST": "127.0.0.1", "HTTP__PORT": str(taken.getsockname()[1]), "ADMIN__PORT": "0"}
                await line_of({**settings, **at}, tmp_path)
            await topics.publish(message().sent())
            await topics.wait_until_folded()
            assert service.log.count("partitions assigned") == before


async def test_one_port_for_both_listeners_is_refused(fleet: Fleet, tmp_path: Path) -> None:
    """Otherwise the status page would answer some of the callbacks."""
    async with fleet.topics() as topics:
        at = {"HTTP__PORT": str(find_free_ports(1)[0]), "HTTP__HOST": "127.0.0.1", "ADMIN__HOST": "127.0.0.1"}
        at["ADMIN__PORT"] = at["HTTP__PORT"]
        assert "SMS_BRIDGE_HTTP__PORT" in await line_of({**topics.settings, **CALLBACKS_ONLY, **at}, tmp_path)


async def test_the_senders_topic_is_never_made(fleet: Fleet, tmp_path: Path) -> None:
    """A missing topic is named: its owner has to create it, not the bridge."""
    async with fleet.topics() as topics:
        settings = {**topics.settings, **CALLBACKS_ONLY, "TOPICS__SENT": f"{topics.sent[0]},{topics.group}.nowhere"}
        line = await line_of(settings, tmp_path)
        assert f"{topics.group}.nowhere" in line
        names = await names_of(topics)
        assert f"{topics.group}.nowhere" not in names


async def test_topics_that_must_not_be_made_are_named(fleet: Fleet, tmp_path: Path) -> None:
    """With CREATE_TOPICS=false, the operator has to create missing topics."""
    async with fleet.topics() as topics:
        line = await line_of({**topics.settings, **CALLBACKS_ONLY, "KAFKA__CREATE_TOPICS": "false"}, tmp_path)
        assert all(name in line for name in (topics.journal, topics.state, topics.delivery, topics.dead_letter))
        assert await names_of(topics) == set(topics.sent)


WRONG: dict[str, dict[str, tuple[int, dict[str, str]]]] = {
    "a compacted journal": {"journal": (4, {"cleanup.policy": "compact"})},
    "a journal compacted, too": {"journal": (4, {"cleanup.policy": "compact,delete"})},
    "a state topic that isn't compacted": {"state": (4, {"cleanup.policy": "delete"})},
    "a state topic that also deletes": {"state": (4, {"cleanup.policy": "compact,delete"})},
    "different partition counts": {"journal": (3, {}), "state": (2, {"cleanup.policy": "compact"})},
}


@pytest.mark.parametrize("what", list(WRONG))
async def test_topics_that_would_lose_messages_are_refused(fleet: Fleet, tmp_path: Path, what: str) -> None:
    """A topic that another system created with wrong settings is named."""
    async with fleet.topics() as topics:
        for kind, (partitions, config) in WRONG[what].items():
            await topics.create([getattr(topics, kind)], partitions, config)
        line = await line_of({**topics.settings, **CALLBACKS_ONLY}, tmp_path)
        assert all(getattr(topics, kind) in line for kind in WRONG[what])


async def test_a_journal_whose_offsets_are_lost_is_refused_with_the_remedy(fleet: Fleet, tmp_path: Path) -> None:
    """After a change of the group id, or if offsets expired, the operator decides between skipping and repeating."""
    async with fleet.topics() as topics:
        settings = {**topics.settings, **CALLBACKS_ONLY}
        async with fleet.running(settings):
            await topics.publish(message().sent())
            await topics.wait_until_folded()
        line = await line_of({**settings, "KAFKA__GROUP_ID": f"{topics.group}-b"}, tmp_path)
        assert topics.journal in line
        assert "--adopt" in line


@pytest.mark.parametrize("where", ["end", "start"])
async def test_offset_outside_the_journal_must_be_adopted(fleet: Fleet, tmp_path: Path, where: str) -> None:
    """If the offset's record is deleted or lost, the operator decides where to continue."""
    async with fleet.topics() as topics:
        settings = {**topics.settings, **CALLBACKS_ONLY}
        async with fleet.running(settings):
            await topics.publish(message().sent())
            await topics.wait_until_folded()
        places = [Place(topics.journal, number, 1_000_000) for number in range(4)]
        group = ConsumerGroupTopicPartitions(f"{topics.group}.tracker", places)
        [future] = topics.admin.alter_consumer_group_offsets([group]).values()
        await asyncio.wrap_future(future)
        assert "--adopt" in await line_of(settings, tmp_path)
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            "from bridge.cli import main; main()",
            "topics",
            "--adopt",
            where,
            env=environment(settings),
            stdout=asyncio.subprocess.PIPE,
        )
        output, _ = await process.communicate()
        assert process.returncode == 0
        assert b"partitions [0, 1, 2, 3]" in output
        async with fleet.running(settings):
            await topics.publish(message().sent())
            await topics.wait_until_folded()


async def test_a_journal_that_grew_is_refused(fleet: Fleet, tmp_path: Path) -> None:
    """With more partitions, keys would move, and attempts would start again in another partition."""
    from confluent_kafka.admin import NewPartitions  # type: ignore[attr-defined]  # noqa: PLC0415

    async with fleet.topics() as topics:
        settings = {**topics.settings, **CALLBACKS_ONLY}
        async with fleet.running(settings):
            await topics.publish(message().sent())
            await topics.wait_until_folded()
        grown = topics.admin.create_partitions([NewPartitions(name, 6) for name in (topics.journal, topics.state)])
        await asyncio.gather(*map(asyncio.wrap_future, grown.values()))
        for roles in ("intake,receive", "track"):
            line = await line_of(settings, tmp_path / roles, "--roles", roles)
            assert topics.journal in line
            assert "4" in line
            assert "6" in line


async def names_of(topics: Topics) -> set[str]:
    """List the topics of this installation."""
    metadata = await asyncio.to_thread(topics.admin.list_topics, None, 10)
    return {name for name in metadata.topics if name.startswith(topics.group)}
