"""The installation for testing the documentation: a running bridge, the messages in the pages, a shell.

A second one, from the README's *Run it*, is started and stopped again, for commands that need a stopped bridge.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import httpx

from bridge.sandbox.kafka.broker import prepare_installation
from bridge.sandbox.kafka.installation import get_release
from tests.support.documentation.blocks import Block, blocks
from tests.support.documentation.runtimes import jar
from tests.support.documentation.shell import Shell
from tests.support.paths import ROOT
from tests.support.ports import find_free_ports
from tests.support.service.bridge import Bridge, Message, message
from tests.support.service.command import Said
from tests.support.service.topics import Topics
from tests.support.waiting import wait_until

SERVERS = "kafka:9092"
TOOLS = {
    "kafka-consumer-groups.sh": "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
    "kafka-console-producer.sh": "org.apache.kafka.tools.ConsoleProducer",
    "kafka-topics.sh": "org.apache.kafka.tools.TopicCommand",
    "kafka-console-consumer.sh": "org.apache.kafka.tools.consumer.ConsoleConsumer",
}
SECRETS = {
    ("dexatel", "default"): "secret-of-dexatel-0123456789",
    ("speedocom", "default"): "secret-of-speedocom-0123456789",
    ("speedocom", "promo"): "secret-of-the-promo-account-0123",
}
CALLBACKS_ONLY = {
    "DEXATEL__CALLBACK_SECRETS": SECRETS["dexatel", "default"],
    "DEXATEL__POLL": "never",
    "SPEEDOCOM__CALLBACK_SECRETS": SECRETS["speedocom", "default"],
    "SPEEDOCOM__POLL": "never",
    "SPEEDOCOM__ACCOUNTS__PROMO__CALLBACK_SECRETS": SECRETS["speedocom", "promo"],
    "SPEEDOCOM__ACCOUNTS__PROMO__POLL": "never",
}
STORIES = {
    message("dexatel", message_id="order-4711", provider_message_id="785a9b0f-05b5-4d06-bd74-49be5ca286e4"): (
        "+447700900123",
        ("pending", "sent", "delivered"),
    ),
    message("speedocom", message_id="order-9", provider_message_id="1000009"): (
        "+49 170 1000009",
        ("SentToNetwork", "DeliveredToTerminal"),
    ),
    message("speedocom", message_id="order-7", provider_message_id="1000007"): ("+49 170 1000007", ("Queued",)),
    message("speedocom", "promo", provider_message_id="1889191"): ("+49 170 1000008", ("SentToNetwork",)),
    message("dexatel"): ("+49 170 1000010", ("rejected",)),
}
"""The messages that the pages name, and more of their kinds: to whom, and what the provider says of them."""


MENDED = {"SENT__PROVIDERS": '{"speedocom-eu":"speedocom"}', "DEXATEL__CALLBACK__ID": "message_uuid,reference"}
"""With these what was misread can be read."""


class World(NamedTuple):
    """A bridge, and a shell beside it."""

    bridge: Bridge
    shell: Shell


class Newcomer(NamedTuple):
    """The result of the README's first steps, and the shell that ran them."""

    shell: Shell
    topics: Topics
    said: dict[str, Said]


async def shell(folder: Path, topics: Topics, settings: Mapping[str, str]) -> Shell:
    """Return a shell with an example event, Kafka's tools, and the names in the pages."""
    [other] = find_free_ports(1)
    (folder / "bin").mkdir(parents=True)
    (folder / "event.json").write_bytes((ROOT / "schemas/examples/sms.sent.v1/valid/the-least.json").read_bytes())
    (folder / "callback.http").write_text(block("docs/adding-a-provider.md", "By settings", "http").text)
    await write_kafka_tools(folder / "bin")
    names = {
        SERVERS: settings["KAFKA__BOOTSTRAP_SERVERS"],
        "sms-bridge.intake": f"{topics.group}.intake",
        "sms-bridge.tracker": f"{topics.group}.tracker",
        "sms-bridge.dead-letter": topics.dead_letter,
        " sms.sent ": f" {topics.sent[0]} ",
        " sms.delivery ": f" {topics.delivery} ",
        "http://localhost:8080": f"http://127.0.0.1:{settings['HTTP__PORT']}",
        "https://HOST": f"http://127.0.0.1:{settings['HTTP__PORT']}",
        "localhost:9090": f"127.0.0.1:{settings['ADMIN__PORT']}",
        "8100": str(other),
    }
    return Shell(folder, settings, names)


async def write_kafka_tools(folder: Path) -> None:
    """Write scripts for the tools that come with Kafka."""
    installation, tools = (
        await prepare_installation(),
        await jar(f"org.apache.kafka:kafka-tools:{get_release().version}"),
    )
    command = f"{installation.java} -XX:TieredStopAtLevel=1 -Dorg.slf4j.simpleLogger.defaultLogLevel=error"
    for name, tool in TOOLS.items():
        (folder / name).write_text(f'#!/bin/sh\nexec {command} -cp {tools}:{installation.class_path} {tool} "$@"\n')
        (folder / name).chmod(0o755)


def block(page: str, heading: str, kind: str = "console") -> Block:
    """Return the block at this place."""
    [found] = (one for one in blocks(kind) if one.place == (page, heading, kind))
    return found


async def story(at: Shell, topics: Topics, client: httpx.AsyncClient) -> None:
    """Send a message through the bridge that a shell runs, using the documented callback URL."""

    async def ready() -> bool:
        try:
            return (await client.get(at.real("http://localhost:9090/readyz"))).is_success
        except httpx.TransportError:
            return False

    await wait_until(ready, 60, lambda: "the bridge isn't ready")
    one, url = message(), at.real(f"https://HOST/dlr/dexatel/{at.settings['DEXATEL__CALLBACK_SECRETS']}")
    await topics.publish(one.sent(), key=one.message_id)
    asked = {"message_uuid": one.provider_message_id, "status": "delivered"}
    assert (await client.get(url, params=asked)).is_success
    await topics.wait_until(lambda: bool(topics.story(*one.attempt)), f"an event of {one}")


async def misread(bridge: Bridge) -> None:
    """Cause dead letters with input that the bridge's settings can't read."""
    lost = message("speedocom", message_id="order-12", provider_message_id="1000012")
    await bridge.topics.publish(lost.sent(provider="speedocom-eu"), key=lost.message_id)
    await bridge.client.get(bridge.url("dexatel"), params={"reference": "1", "status": "sent"})
    await bridge.wait_for_dead_letter(reason="unreadable")
    await bridge.wait_for_dead_letter(reason="unknown_provider")


async def report(bridge: Bridge, one: Message, word: str) -> int:
    """Send a callback, with Speedocom's real order of members."""
    if one.provider == "dexatel":
        return await bridge.report(one, word)
    body = json.dumps({"description": word, "messageid": one.provider_message_id})
    headers = {"content-type": "application/json"}
    return (await bridge.client.post(bridge.url(*one.attempt[:2]), content=body, headers=headers)).status_code
