"""The alerts: valid, based on existing metrics, tested firing and not firing, and documented."""

import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.helm.binaries import promtool
from tests.support.helm.chart import Chart
from tests.support.helm.known_metrics import OF_PROMETHEUS, labels_of_metrics
from tests.support.paths import CHART_FOLDER, DOCS, ROOT

FILE = CHART_FOLDER / "files" / "alerts.yaml"
CASES = Path(__file__).parent / "alerts_test.yaml"
RUNBOOKS = DOCS / "runbooks"
URLS: dict[str, str] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["urls"]
BASE = f"{URLS['Documentation']}/runbooks"
ALERTS: dict[str, Any] = {
    rule["alert"]: rule for group in yaml.safe_load(FILE.read_text())["groups"] for rule in group["rules"]
}


@pytest.mark.parametrize("arguments", [("check", "rules", FILE), ("test", "rules", CASES)], ids=["check", "cases"])
def test_promtool_tests_pass(arguments: tuple[str | Path, ...]) -> None:
    """Every alert fires when it must, and doesn't when it must not."""
    done = subprocess.run([promtool(), *arguments], capture_output=True, text=True, check=False)  # noqa: S603 - a fixed program
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_has_both_cases() -> None:
    """Each alert is tested firing and not firing."""
    names = {case["name"] for case in yaml.safe_load(CASES.read_text())["tests"]}
    assert names == {f"{alert} {does}" for alert in ALERTS for does in ("fires", "stays quiet")}


@pytest.mark.parametrize("alert", ALERTS)
def test_alerts_use_existing_metrics(alert: str) -> None:
    """Each metric and label in an alert exists."""
    known = labels_of_metrics()
    expression = ALERTS[alert]["expr"]
    used = set(re.findall(r"sms_bridge_[a-z_]+", expression))
    assert used <= known.keys()
    labels = {label for name in used for label in known[name]} | OF_PROMETHEUS
    grouped = re.findall(r"\b(?:by|on) \(([a-z, ]+)\)", expression)
    matched = re.findall(r"sms_bridge_[a-z_]+\{(\w+)=", expression)
    assert {*matched, *(label for group in grouped for label in group.split(", "))} <= labels


@pytest.mark.parametrize("alert", ALERTS)
def test_alerts_have_summary_and_runbook(alert: str) -> None:
    """Each alert has a summary, a severity and a link to a runbook."""
    rule = ALERTS[alert]
    assert re.fullmatch(r"\d+m", rule["for"])
    assert rule["labels"]["severity"] in {"critical", "warning"}
    assert rule["annotations"].keys() == {"summary", "description", "runbook_url"}
    assert rule["annotations"]["runbook_url"] == f"{BASE}/{alert}.md"
    page = (RUNBOOKS / f"{alert}.md").read_text()
    assert re.findall(r"^#+ .+", page, re.MULTILINE) == [
        f"# {alert}",
        "## Meaning",
        "## Impact",
        "## Diagnosis",
        "## Remedy",
    ]
    wakes = page.split("\n\n")[1].startswith("**Wakes you because** ")
    assert wakes is (rule["labels"]["severity"] == "critical")
    assert wakes or "**Can wait until morning:** " in page
    for link in re.findall(r"\]\((\w+\.md)\)", page):
        assert (RUNBOOKS / link).exists(), link


def test_every_runbook_has_its_alert() -> None:
    """No runbook is obsolete."""
    assert {page.stem for page in RUNBOOKS.glob("*.md")} - {"README"} == ALERTS.keys()


def test_chart_installs_these_alerts(chart: Chart) -> None:
    """The tested rules are installed, with the installation's labels and runbook URL."""
    rules = {rule["alert"]: rule for group in spec(chart)["groups"] for rule in group["rules"]}
    assert rules.keys() == ALERTS.keys()
    for name, rule in rules.items():
        assert rule["expr"] == ALERTS[name]["expr"]
        assert rule["for"] == ALERTS[name]["for"]
        assert rule["labels"] == {**ALERTS[name]["labels"], "team": "messaging"}
        assert rule["annotations"]["summary"] == ALERTS[name]["annotations"]["summary"]
        assert rule["annotations"]["runbook_url"] == f"https://docs.example.com/sms-bridge/runbooks/{name}.md"


def test_status_page_links_to_the_same_runbooks(chart: Chart) -> None:
    """By default it knows the project's; one's own are told it, unless `config` names others."""
    own, name = "https://docs.example.com/runbooks", "SMS_BRIDGE_ADMIN__RUNBOOK_BASE"
    for values, expected in (
        ({}, None),
        ({"prometheusRule__runbookBase": f"{own}/"}, own),
        ({"prometheusRule__runbookBase": own, "config": {"ADMIN__RUNBOOK_BASE": f"{own}/other"}}, f"{own}/other"),
    ):
        assert chart.render("minimal", **values).one("ConfigMap", "-bridge")["data"].get(name) == expected


@pytest.mark.parametrize("base", [None, "", f"{BASE}/"])
def test_links_to_runbooks_are_absolute(chart: Chart, base: str | None) -> None:
    """They lead to the project's documentation by default, whose URL is the same everywhere."""
    about = yaml.safe_load((CHART_FOLDER / "Chart.yaml").read_text())
    assert {"Homepage": about["home"], "Documentation": f"{about['home']}/docs"} == URLS
    assert yaml.safe_load((CHART_FOLDER / "values.yaml").read_text())["prometheusRule"]["runbookBase"] == BASE
    release = chart.render("minimal", prometheusRule={"enabled": True, "runbookBase": base}, dashboards__enabled=True)
    rules = [rule for group in release.one("PrometheusRule")["spec"]["groups"] for rule in group["rules"]]
    links = {rule["annotations"]["runbook_url"] for rule in rules}
    assert links == {f"{BASE}/{alert}.md" for alert in ALERTS}
    boards = "".join(str(one["data"]) for one in release.all("ConfigMap") if "-dashboard-" in one["metadata"]["name"])
    assert set(re.findall(r'"url": "([^"]+/SmsBridge\w+.md)"', boards)) == links


@pytest.mark.parametrize(
    ("values", "is_told"),
    [
        ({"prometheusRule__enabled": True}, True),
        ({"dashboards__enabled": True}, True),
        ({}, False),
        ({"prometheusRule": {"enabled": True, "runbookBase": "https://docs.example.com/runbooks"}}, False),
    ],
)
def test_notes_tell_of_a_placeholder(chart: Chart, values: dict[str, Any], is_told: bool) -> None:  # noqa: FBT001 - a table's column
    """While the project has no public home, somebody must publish the runbooks; where none are linked, nobody must."""
    assert ".example" in BASE, "the project has a home: the chart's note isn't needed any more"
    notes = chart.run("install", "minimal", "--dry-run=client", **values).partition("NOTES:")[2]
    assert ("set prometheusRule.runbookBase to its URL" in notes) == is_told


def spec(chart: Chart) -> Any:
    """Return the spec of the rendered PrometheusRule."""
    return chart.scenario("everything").one("PrometheusRule")["spec"]
