"""What runbooks have one run in a pod works as printed, beside a running bridge and its Kafka.

`kubectl exec` runs its command here, `kubectl get configmap` answers with this Kafka; `tests/unit/documentation` looks
at what kubectl is asked.
"""

import re

import pytest

from tests.support.documentation.blocks import Command, commands
from tests.support.documentation.installation import World
from tests.support.documentation.pasting import is_assignment, list_runbooks

STAND_IN = """
kubectl() {
  case " $* " in
    *jsonpath*BOOTSTRAP_SERVERS*) echo "$SMS_BRIDGE_KAFKA__BOOTSTRAP_SERVERS";;
    *" tail "*) while [ "$1" != -- ]; do shift; done; shift; timeout --signal INT 5 "$@" || [ $? = 124 ];;
    *" exec "* | *" debug "*) while [ "$1" != -- ]; do shift; done; shift; "$@";;
  esac
}
"""
RUN_HERE = ("sms-bridge ", "kafka-consumer-groups.sh ", "kafka-console-consumer.sh ")
ONCE = {
    "sms-bridge replay --since 24h": r"journaled +\d+",
    "sms-bridge replay --dry-run --since 24h": r"unreadable",
    "sms-bridge trace order-4711": r"final: delivered",
    "sms-bridge check": r"\n(0 wrong, \d+ warnings?|all is well)\n",
    "sms-bridge topics --adopt start": r"every partition has its offset",
    "kafka-consumer-groups.sh": r"\.journal +\d",
    "kafka-console-consumer.sh": r"reason:unreadable",
}
"""What has to be in the answers to commands that end so, or begin so; others only have to end well."""


def list_commands() -> dict[str, list[Command]]:
    """Return each command that can run here, after those that set its variables."""
    found: dict[str, list[Command]] = {}
    for page in list_runbooks().values():
        settings: list[Command] = []
        for command in (command for block in page for command in commands(block)):
            if is_assignment(command):
                settings.append(command)
            elif any(f" -- {name}" in command.text or command.text.startswith(name) for name in RUN_HERE):
                found.setdefault(command.text, [*settings, command])
    return found


COMMANDS = list_commands()


@pytest.mark.parametrize("text", COMMANDS)
async def test_commands_of_runbooks_work(text: str, world: World) -> None:
    """Each ends well and says what the page needs it for."""
    lines = "\n".join(command.text for command in COMMANDS[text])
    own = world.bridge.topics.group
    said = await world.shell.type(f"set -u{STAND_IN}{lines.replace('$release.tracker', f'{own}.tracker')}")
    assert said.code == 0, said
    inner = text.partition(" -- ")[2] or text
    for told, pattern in ONCE.items():
        if inner == told or (told.endswith(".sh") and inner.startswith(told)):
            assert re.search(pattern, said.out), said


async def test_pages_search_the_log_as_it_is(world: World) -> None:
    """Lines have the form in which pages search for a level."""
    assert '"level":"info"' in world.bridge.service.log


def test_answers_are_of_commands() -> None:
    """No expectation is obsolete."""
    inner = [text.partition(" -- ")[2] or text for text in COMMANDS]
    assert [one for one in ONCE if not any(text.startswith(one) for text in inner)] == []
