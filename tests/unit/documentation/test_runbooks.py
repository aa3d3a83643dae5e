"""Every command of the runbooks can be pasted: it names objects, labels, containers and values that the chart has.

With one kind of pods and with two. What `sms-bridge` commands do: `tests/e2e/documentation/test_runbook_commands.py`;
what kubectl and helm do: `tests/e2e/helm/test_runbook_commands.py`.
"""

import json
import re
from itertools import product
from pathlib import Path

import pytest
import yaml
from typer.main import get_command

from bridge.cli import cli
from tests.support.documentation.blocks import Block, commands, quoted
from tests.support.documentation.pasting import is_assignment, list_log_lines, list_runbooks, paste
from tests.support.helm.chart import NAMESPACE, Chart
from tests.support.helm.kubectl_calls import CallChecker, knows_value
from tests.support.paths import CHART_FOLDER, DOCS

RUNBOOKS = list_runbooks()
ALERTS = yaml.safe_load((CHART_FOLDER / "files" / "alerts.yaml").read_text())["groups"]
SCHEMA = json.loads((CHART_FOLDER / "values.schema.json").read_text())
IN_PODS = {"cat"}
"""Programs beside `sms-bridge` that commands run in a pod; the image has them."""


@pytest.fixture(scope="module")
def checkers(chart: Chart) -> list[CallChecker]:
    """Releases with the names of the pages."""
    return [CallChecker(chart, scenario, "sms", "sms") for scenario in ("minimal", "split")]


@pytest.mark.parametrize("page", RUNBOOKS)
def test_commands_can_be_pasted(page: str, checkers: list[CallChecker], chart: Chart, tmp_path: Path) -> None:
    """Each works after those above it; what they search for in logs and objects is there."""
    configmap = next(
        one for one in chart.scenario("everything").all("ConfigMap") if "SMS_BRIDGE_HTTP__PORT" in str(one)
    )
    pasted = paste(RUNBOOKS[page], tmp_path, yaml.safe_dump(configmap))
    assert pasted.failures == []
    for call, checker in product(pasted.calls, checkers):
        if call[0] == "helm" and checker is not checkers[0]:
            continue  # values are the same in both, and helm is slow
        inner = checker.check(call)
        if inner and inner[0] == "sms-bridge":
            check_arguments(inner[1:])
        assert not inner or inner[0] in {"sms-bridge", *IN_PODS}, call


def check_arguments(words: list[str]) -> None:
    """Let the command line parse these words, without running anything."""
    command = get_command(cli).commands[words[0]]  # type: ignore[attr-defined] # it is a group
    command.make_context(words[0], words[1:])


@pytest.mark.parametrize("page", RUNBOOKS)
def test_page_begins_with_names(page: str) -> None:
    """One line sets them, as the index explains, and nothing else is left to fill in.

    A pod that is found on the way is named where it is used, so that no other one is meant by mistake.
    """
    first, *rest = (command for block in RUNBOOKS[page] for command in commands(block))
    if not page.endswith("README.md"):
        assert is_assignment(first)
        assert {"ns", "release", "app"} <= set(re.findall(r"(\w+)=", first.text))
        known: set[str] = set()
        used: set[str] = set()
        for command in (first, *rest):
            used |= set(re.findall(r"\$(\w+)", command.text))
            assert used <= known, command.text
            known |= set(re.findall(r"(\w+)=", command.text))
        assert ("pod" in known) == ("pod" in used), page
    assert not re.findall(r"\b(?:POD|NAME|FILE|YOUR-\w+)\b", " ".join(command.text for command in rest))


def test_every_runbook_has_commands() -> None:
    """Also the index, which lists every alert by whether it wakes somebody."""
    severities = {rule["alert"]: rule["labels"]["severity"] for group in ALERTS for rule in group["rules"]}
    assert RUNBOOKS.keys() == {f"docs/runbooks/{name}.md" for name in ("README", *severities)}
    _, waking, waiting = re.split(r"^## These.*$", (DOCS / "runbooks/README.md").read_text(), flags=re.MULTILINE)
    for text, severity in ((waking, "critical"), (waiting, "warning")):
        rows = re.findall(r"^\| \[(\w+)\]\(\1\.md\) \|", text, re.MULTILINE)
        assert rows == [alert for alert, own in severities.items() if own == severity]


VALUES = sorted(
    {
        (page, value)
        for page, text in quoted()
        if page.startswith("docs/runbooks/")
        for value in re.findall(r"^([a-z]\w+(?:\.[A-Za-z]\w+)+)$", text)
    }
)
NOT_VALUES = {"sms.sent", "sms.delivery", "min.insync.replicas", "log.cleaner"}
"""Topics, and settings of Kafka."""


@pytest.mark.parametrize(("page", "value"), [one for one in VALUES if one[1] not in NOT_VALUES])
def test_named_values_exist(page: str, value: str) -> None:
    """Each value of the chart that a page names can be set."""
    assert knows_value(SCHEMA, value), page


def test_checks_find_mistakes(chart: Chart) -> None:
    """Wrong labels, containers, names, ports and values are noticed."""
    checker = CallChecker(chart, "minimal", "sms", NAMESPACE)
    good = f"kubectl -n {NAMESPACE} exec statefulset/sms-sms-bridge -c sms-bridge -- sms-bridge check"
    assert checker.check(good.split()) == ["sms-bridge", "check"]
    for wrong in (
        good.replace("statefulset/sms-sms-bridge", "statefulset/sms"),
        good.replace("-c sms-bridge", "-c bridge"),
        good.replace(NAMESPACE, "other"),
        f"kubectl -n {NAMESPACE} get pods -l app.kubernetes.io/instance=other",
        f"kubectl -n {NAMESPACE} get pods --no-such-option",
        f"kubectl -n {NAMESPACE} port-forward statefulset/sms-sms-bridge 9091",
        f"helm -n {NAMESPACE} upgrade sms helm/sms-bridge --no-such-option",
    ):
        with pytest.raises(AssertionError):
            checker.check(wrong.split())
    assert not knows_value(SCHEMA, "tracker.replica")
    assert not knows_value(SCHEMA, "config.DEXATEL__TOKEN")
    assert any("partitions assigned" in line for line in list_log_lines())


def test_every_block_belongs_to_a_page() -> None:
    """Blocks within lists are found."""
    found: list[Block] = [block for page in RUNBOOKS.values() for block in page]
    text = "".join(file.read_text() for file in (DOCS / "runbooks").glob("*.md"))
    assert len(found) == text.count("```console")
