"""Every command of the documentation is typed as it stands there, and does what the page says that it does.

Into a real shell, on a real Kafka, with a running bridge to which all that the pages speak of has happened. What can't
be had here has a test below that looks at as much of it as can: helm without a cluster, kubectl without a server, make
without making. `ELSEWHERE` names the rest. A command of a program that no test covers fails.
"""

import json
import re
import shlex
import shutil
import subprocess
from asyncio.subprocess import Process
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiokafka.admin import AIOKafkaAdminClient

from tests.support.documentation.blocks import Block, Command, blocks, commands, quoted
from tests.support.documentation.installation import Newcomer, World, story
from tests.support.documentation.shell import mask_output
from tests.support.helm.binaries import helm, kubectl
from tests.support.helm.chart import Chart
from tests.support.kafka.schema_registry import listening, registered
from tests.support.paths import ROOT
from tests.support.service.bridge import message

TYPED = ("sms-bridge", "curl", "kcat", "kafka-consumer-groups.sh", "kafka-console-consumer.sh")
ALONE = {("README.md", "Run it"), ("docs/commands.md", "run"), ("docs/operating.md", "Disaster recovery")}
"""Blocks for which no other bridge may run."""

TUTORIAL = "docs/tutorial.md"
"""`test_tutorial.py` types its lines, in their order."""

RUNBOOKS = "docs/runbooks/"
"""`test_runbook_commands.py` and `unit/documentation/test_runbooks.py` have the blocks of these pages."""

SETTINGS = {
    ("docs/adding-a-provider.md", "By settings"),
    ("docs/sent-events.md", "Other layouts"),
    ("docs/sent-events.md", "Several attempts in a record"),
}
"""Blocks of settings. The shared bridge was set up with the first one; what comes of it: `test_snippets.py`. With the
others, `unit/intake/test_documented_settings.py` reads events."""

ENDLESS = {"run", "tail", "simulate", "sandbox"}
ELSEWHERE = {
    "docker compose up --build": "unit/helm/test_compose.py, scripts/image-test: no container can be run here",
    "pip install 'sms-bridge[otel]'": "unit/documentation/test_documents.py: it is on no index; the extra is looked up",
}
TELLS = {
    "check": r"\n(0 wrong, \d+ warnings?|all is well)\n",
    "init": r"(?s)CALLBACK_SECRETS(=|: \")[0-9a-f]{32}.*",
    "check --offline": r"\nall is well\n",
    "check --sample": r"message_id +message_id +\"order-5512\"",
    "check --callback": r"Delivered, final, is published\.\n",
    "providers": r"twilio +preset +https://",
    "topics": r"(?s)sms-bridge.dead-letter +3 partitions.*",
    "topics --adopt": r"(every partition has its offset|adopted at the start: partitions \[0, 1, 2, 3\])\n",
    "trace": r"(final: delivered|waiting: last status \w+; )",
    "replay": r"unreadable +journaled +1",
    "schemas register": r"delivery-value +70001",
    "curl": r"ready|alive|404 Not Found",
    "kcat": r'{"event_id":".+"outcome":"delivered"',
    "kafka-consumer-groups.sh": r"\.(journal|sent) +\d|successful",
    "kafka-console-consumer.sh": r"reason:unreadable",
}
"""What has to be in the answers to commands that begin so; where a page shows an answer, all of it is compared."""


def taken(*programs: str, text_alone: bool = False) -> list[Any]:
    """The commands of some programs, as parameters: those in blocks, and those in the text."""
    shown = [] if text_alone else [one for one in blocks("console") if not one.page.startswith(RUNBOOKS)]
    printed = [(one.page, command.text) for one in shown for command in commands(one)]
    return [
        pytest.param(text, id=f"{page}: {text}")
        for page, text in dict.fromkeys([*printed, *quoted()])
        if text.split()[0] in programs and " " in text and text not in ELSEWHERE
    ]


def shown(block: Block) -> str:
    """A name for a parameter."""
    return f"{block.page}: {block.heading}"


TO_TYPE = [
    block
    for block in blocks("console")
    if not block.page.startswith((TUTORIAL, RUNBOOKS)) and {c.words[0] for c in commands(block)} & {*TYPED, "export"}
]


@pytest.mark.parametrize("block", [one for one in TO_TYPE if one.place[:2] not in ALONE | SETTINGS], ids=shown)
async def test_documented_commands_work(block: Block, world: World) -> None:
    """Each documented command works beside a running bridge."""
    for command in commands(block):
        await done(command, world)


@pytest.mark.parametrize("text", taken(*TYPED[1:], text_alone=True))
async def test_commands_in_prose_work(text: str, world: World) -> None:
    """Commands within a sentence work, too."""
    await done(Command(text, ""), world)


async def test_readme_quickstart_works(newcomer: Newcomer) -> None:
    """With the README's exports `check` finds no problem, a message passes through, and Ctrl-C stops the bridge."""
    assert [said.code for said in newcomer.said.values()] == [0] * 5
    [checked] = [said for line, said in newcomer.said.items() if line.startswith("sms-bridge check")]
    assert re.search(TELLS["check"], checked.out), checked.out
    assert newcomer.said.keys() >= {command.text for command in commands(_alone("README.md"))}


async def test_run_logs_json_on_request(newcomer: Newcomer, client: httpx.AsyncClient) -> None:
    """`--json` overrides the log format of the settings."""
    newcomer.shell.settings["LOG__FORMAT"] = "console"
    [command] = commands(_alone("docs/commands.md"))
    said = await newcomer.shell.interrupted(command.text, lambda _: story(newcomer.shell, newcomer.topics, client))
    assert [json.loads(line)["event"] for line in said.err.splitlines()][-1] == "stopped"


async def test_documented_disaster_recovery_works(newcomer: Newcomer) -> None:
    """With the bridge stopped, one group is reset, another is deleted, and the journal is adopted."""
    for command in commands(_alone("docs/operating.md")):
        said = await newcomer.shell.type(command.text)
        assert said.code == 0, (command, said)
        if command.words[0] != "sms-bridge" or "--adopt" in command.words:
            assert re.search(_told(command), said.out), (command, said)


def _alone(page: str) -> Block:
    [found] = [block for block in TO_TYPE if block.place[:2] in ALONE and block.page == page]
    return found


async def done(command: Command, world: World) -> None:
    """Type a command; it ends well, and says what it should."""
    if command.words[0] == "kcat" and not shutil.which("kcat"):
        pytest.skip("no kcat on this machine (Debian: apt-get install kafkacat)")
    if command.words[:2] == ["sms-bridge", "schemas"]:
        said = await _registering(command, world)
    elif command.words[0] == "sms-bridge" and command.words[1] in ENDLESS:
        said = await world.shell.interrupted(command.text, partial(_alive, command, world))
    else:
        said = await world.shell.type(command.text)
    assert said.code == 0, (command, said)
    if command.output:
        assert mask_output(said.out) == mask_output(command.output), said.out
    elif command.words[1] not in ENDLESS:
        assert re.search(_told(command), said.out), (command, said)


def _told(command: Command) -> str:
    line = " ".join(command.words).removeprefix("sms-bridge ")
    return next(what for begin, what in sorted(TELLS.items(), reverse=True) if line.startswith(begin))


async def _alive(command: Command, world: World, process: Process) -> None:
    """Return when an endless command has shown what it is there for: a URL, or an event of those that are wanted."""
    assert process.stdout
    assert process.stderr
    _, name, *options = command.words
    if name == "tail" and "--from" not in options:
        # It begins at the end: something has to happen once it looks.
        assert b"Ctrl-C" in await process.stderr.readline()
        one = await world.bridge.send_and_wait(message("speedocom"))
        await world.bridge.report_all(one, "DeliveredToTerminal")
    line = (await process.stdout.readline()).decode()
    if name == "sandbox":
        admin = AIOKafkaAdminClient(bootstrap_servers=line.strip())
        await admin.start()
        await admin.close()
        return
    if name == "simulate":
        assert line.startswith("http://127.0.0.1:")
        return
    wanted = {value for option, value in pairwise(options) if option in {"--message-id", "--status"}}
    assert {one for one in wanted if one not in line} == set()
    assert "--json" not in options or json.loads(line)["final"] is True


async def _registering(command: Command, world: World) -> Any:
    async with listening() as registry:
        settings = " ".join(f"SMS_BRIDGE_{name}={value}" for name, value in registered(registry).items())
        return await world.shell.type(f"{settings} {command.text}")


@pytest.mark.parametrize("text", taken("kubectl"))
def test_kubectl_commands_are_valid(text: str, chart: Chart) -> None:
    """Without a cluster kubectl fails only when it connects, and the objects are those that the chart creates."""
    asked = [str(kubectl()), "--server", "http://127.0.0.1:1", *shlex.split(text, comments=True)[1:]]
    said = subprocess.run(asked, capture_output=True, text=True, check=False, env={"KUBECONFIG": "/dev/null"})  # noqa: S603 - a fixed program
    assert "The connection to the server 127.0.0.1:1 was refused" in said.stderr, said.stderr
    release = chart.scenario("everything")
    for name, value in re.findall(r"([a-z./]+/[a-z]+)=(\S+)", text):
        assert release.selected({name: value}), text
    for kind in re.findall(r"rollout restart (\w+)/NAME", text):
        assert kind in {one["kind"].lower() for one in release.all("StatefulSet", "Deployment")}
    for port in re.findall(r"\bPOD (\d+)", text):
        assert int(port) in {one["containerPort"] for pod in release.services() for one in pod.main["ports"]}


@pytest.mark.parametrize("text", taken("helm"))
def test_helm_commands_are_valid(text: str, chart: Chart, tmp_path: Path) -> None:
    """The options exist, and the chart renders with the documented values."""
    words = shlex.split(text, comments=True)[1:]
    [name, *_] = [word for word in words if word in {"upgrade", "test", "rollback", "package"}]
    known = subprocess.run([helm(), name, "--help"], capture_output=True, text=True, check=True).stdout  # noqa: S603 - a fixed program
    assert [word for word in words if word.startswith("--") and f"{word} " not in known] == []
    if name == "upgrade" and "--values" in words:
        [values] = [one.text for one in blocks("yaml") if one.text.startswith("# my-values.yaml\n")]
        (tmp_path / "my-values.yaml").write_text(values)
        assert chart.render(str(tmp_path / "my-values.yaml")).services()
        assert (ROOT / words[words.index("--install") + 2] / "Chart.yaml").exists()
    if name == "test":
        [pod] = [
            one for one in chart.scenario("everything").all("Pod") if "helm.sh/hook" in one["metadata"]["annotations"]
        ]
        assert pod["spec"]["containers"][0]["args"] == ["check"]


@pytest.mark.parametrize("text", taken("make", "python"))
def test_long_commands_are_valid(text: str) -> None:
    """Commands that take minutes or run the tests are only checked: by `make -n`, or against the program's options."""
    words = shlex.split(text, comments=True)
    if words[0] == "make":
        subprocess.run(["make", "--dry-run", *words[1:]], cwd=ROOT, check=True, capture_output=True)  # noqa: S603, S607 - ours
        return
    assert (ROOT / words[2].replace(".", "/")).with_suffix(".py").exists() or (
        ROOT / words[2].replace(".", "/")
    ).is_dir()


@pytest.mark.parametrize("text", taken("psql", "connect-standalone.sh"))
def test_commands_of_examples_name_their_files(text: str) -> None:
    """Only that: `test_postgres.py` runs the files with the same programs."""
    files = [word for word in shlex.split(text)[1:] if "." in word]
    assert files
    assert [name for name in files if not (ROOT / "examples" / "postgres" / name).exists()] == []


def test_commands_that_check_a_release_name_what_the_workflow_makes() -> None:
    """There is no release here to check: the workflow is there, and signatures have its names."""
    page = (ROOT / "docs/supply-chain.md").read_text()
    [workflow] = re.findall(r"https://github.com/OWNER/REPO/(\S+)@refs/tags/v", page)
    [bundle, wheel] = re.findall(r"--bundle (\S+) (\S+)", page)[0]
    assert bundle == f"{wheel}.sigstore.json"
    assert '--bundle "$file.sigstore.json"' in (ROOT / workflow).read_text()


def test_every_command_is_tested() -> None:
    """Each documented command is covered by a test above."""
    programs = {
        command.words[0]
        for block in blocks("console", "sh", "bash", "shell")
        for command in commands(block)
        if not block.page.startswith((TUTORIAL, RUNBOOKS))
    }
    shown_only = {"psql", "connect-standalone.sh", "cosign", "gh", "uv", "docker"}
    assert programs <= {*TYPED, *shown_only, "export", "kubectl", "helm", "make"}
    assert {place[:2] for place in (block.place for block in TO_TYPE)} >= ALONE | SETTINGS
    assert {text for _, text in quoted()} >= ELSEWHERE.keys()
