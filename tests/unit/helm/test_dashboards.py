"""The dashboards: current, based on existing metrics, described, and installed by the chart and by compose."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from scripts.dashboards.__main__ import DASHBOARDS, FOLDER
from scripts.dashboards.board import render_dashboard
from scripts.dashboards.views import RUNBOOKS as BASE
from tests.support.helm.chart import Chart, Refused
from tests.support.helm.known_metrics import OF_PROMETHEUS, labels_of_metrics
from tests.support.paths import ROOT

RUNBOOKS = ROOT / "docs" / "runbooks"
STATUS_PAGE = "https://sms.example.com/status"
MOUNTED = "/var/lib/grafana/dashboards"


def panels(file: str) -> Iterator[Any]:
    """Return a committed dashboard's panels without its rows and texts."""
    board = json.loads((FOLDER / file).read_text())
    return (panel for panel in board["panels"] if panel["type"] not in {"row", "text"})


@pytest.mark.parametrize("file", DASHBOARDS)
def test_committed_json_is_current(file: str) -> None:
    """The dashboards match the code (`make dashboards` writes them)."""
    assert (FOLDER / file).read_text() == render_dashboard(DASHBOARDS[file])


def test_no_other_files() -> None:
    """The chart installs every file of the folder, so there must be no others."""
    assert {file.name for file in FOLDER.iterdir()} == DASHBOARDS.keys()


@pytest.mark.parametrize("file", DASHBOARDS)
def test_every_panel_is_described(file: str) -> None:
    """Each panel has a description, a unit and legends."""
    ids = []
    for panel in panels(file):
        ids.append(panel["id"])
        assert panel["title"]
        assert panel["description"].endswith("."), panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert panel["targets"], panel["title"]
        assert all(one["datasource"]["uid"] == "${datasource}" for one in (panel, *panel["targets"])), panel["title"]
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"]), panel["title"]
        assert all(target["legendFormat"] for target in panel["targets"]), panel["title"]
    assert len(ids) > 5


@pytest.mark.parametrize("file", DASHBOARDS)
def test_panels_do_not_overlap(file: str) -> None:
    """Each panel has its own place within the width."""
    taken: dict[tuple[int, int], int] = {}
    board = json.loads((FOLDER / file).read_text())
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    for panel in board["panels"]:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24, panel["title"]
        for x in range(at["x"], at["x"] + at["w"]):
            for y in range(at["y"], at["y"] + at["h"]):
                assert taken.setdefault((x, y), panel["id"]) == panel["id"], panel["title"]


@pytest.mark.parametrize("file", DASHBOARDS)
def test_queries_use_existing_metrics(file: str) -> None:
    """Each query uses existing metrics and labels, and selects the chosen installation."""
    known = labels_of_metrics()
    for panel in panels(file):
        for query, legend in ((target["expr"], target["legendFormat"]) for target in panel["targets"]):
            if query.removeprefix("max(").removeprefix("max by (alertname) (").startswith("ALERTS{"):
                continue  # Prometheus makes it from the alerts, whose labels test_alerts.py looks at
            used = re.findall(r"(sms_bridge_\w+)(?:\{([^}]*)\})?", query)
            assert used, query
            assert {name for name, _ in used} <= known.keys(), query
            assert all('namespace=~"$namespace", job=~"$job"' in where for _, where in used), query
            for name, where in used:
                chosen = {label for label in ("provider", "account") if f'{label}=~"${label}"' in where}
                assert known[name] & {"provider", "account"} == chosen, query
            labels = {label for name, _ in used for label in known[name]} | OF_PROMETHEUS
            grouped = {label for group in re.findall(r"by \(([a-z_, ]+)\)", query) for label in group.split(", ")}
            asked = {label for _, where in used for label in re.findall(r"(\w+)=", where)}
            assert grouped | asked <= labels, query
            assert set(re.findall(r"{{(\w+)}}", legend)) <= labels, panel["title"]


@pytest.mark.parametrize("file", DASHBOARDS)
def test_rows_are_full(file: str) -> None:
    """Each line of panels fills the width, so that nothing is half empty."""
    widths: Counter[int] = Counter()
    for panel in json.loads((FOLDER / file).read_text())["panels"]:
        widths[panel["gridPos"]["y"]] += panel["gridPos"]["w"]
    assert set(widths.values()) == {24}


@pytest.mark.parametrize("file", DASHBOARDS)
def test_bad_states_have_colours(file: str) -> None:
    """What says by itself that something is wrong is coloured: by limits, or by a state's colour."""
    neutral = {"Open", "Instances", "Partitions", "Versions"}
    for panel in panels(file):
        defaults = panel["fieldConfig"]["defaults"]
        colors = {step["color"] for step in defaults.get("thresholds", {}).get("steps", [])} - {"green"}
        for mapping in defaults.get("mappings", []):
            colors |= {state["color"] for state in mapping["options"].values()} - {"green"}
        if panel["type"] == "stat":
            assert all(target["instant"] for target in panel["targets"]), f"{panel['title']}: old series would show"
            assert bool(colors) == (panel["title"] not in neutral), panel["title"]
        if panel["type"] == "state-timeline":
            states = defaults["mappings"][0]["options"]
            assert {state["color"] for state in states.values()} == {"green", "red"}, panel["title"]


@pytest.mark.parametrize("file", DASHBOARDS)
def test_graphs_tell_the_last_and_the_highest_value(file: str) -> None:
    """Legends are tables, and name pods rather than addresses."""
    for panel in panels(file):
        assert not any("{{instance}}" in target["legendFormat"] for target in panel["targets"]), panel["title"]
        if panel["type"] == "timeseries":
            legend = panel["options"]["legend"]
            assert (legend["displayMode"], legend["calcs"]) == ("table", ["lastNotNull", "max"]), panel["title"]


@pytest.mark.parametrize("file", DASHBOARDS)
def test_viewer_chooses_and_sees_changes(file: str) -> None:
    """There are variables for what can be chosen, and marks for starts and versions."""
    board = json.loads((FOLDER / file).read_text())
    names = [variable["name"] for variable in board["templating"]["list"]]
    assert names == ["datasource", "namespace", "job", "provider", "account"]
    assert [one["name"] for one in board["annotations"]["list"]] == ["Starts", "Versions"]


def test_dashboard_links_to_runbooks() -> None:
    """Each link leads to an existing runbook."""
    links = [link["url"] for file in DASHBOARDS for panel in panels(file) for link in panel["links"]]
    assert set(links) == {f"{BASE}/{page.name}" for page in RUNBOOKS.glob("SmsBridge*.md")}


@pytest.mark.parametrize("file", DASHBOARDS)
def test_dashboard_links_to_status_page(file: str, chart: Chart) -> None:
    """Its command forwards a port of a Service that exists; a published page replaces the link."""
    board = json.loads((FOLDER / file).read_text())
    links = {link["title"]: link for link in board["links"]}
    assert links.keys() == {"SMS bridge", "Runbooks", "Status page"}
    assert links["Runbooks"]["url"] == f"{BASE}/README.md"
    texts = [panel["options"]["content"] for panel in board["panels"] if panel["type"] == "text"]
    (service,) = (one for one in chart.scenario("minimal").all("Service") if one["metadata"]["name"].endswith("-admin"))
    for text in (links["Status page"]["tooltip"], *texts):
        assert f"kubectl --namespace $namespace port-forward service/$job {service['spec']['ports'][0]['port']}" in text
    (installed,) = (
        one["data"][f"sms-bridge-{file}"]
        for one in chart.scenario("everything").all("ConfigMap")
        if f"sms-bridge-{file}" in one.get("data", {})
    )
    assert "localhost" not in installed
    assert {link["title"]: link for link in json.loads(installed)["links"]}["Status page"]["url"] == STATUS_PAGE


def test_tables_name_their_columns() -> None:
    """Each query is a column under its legend, with a unit of its own where it has one."""
    (table,) = (panel for file in DASHBOARDS for panel in panels(file) if panel["type"] == "table")
    legends = [target["legendFormat"] for target in table["targets"]]
    assert all(target["format"] == "table" and target["instant"] for target in table["targets"])
    (organize,) = (one["options"] for one in table["transformations"] if one["id"] == "organize")
    columns = sorted(organize["indexByName"], key=organize["indexByName"].get)
    assert [organize["renameByName"][name] for name in columns] == ["Provider", "Account", *legends]
    assert {one["matcher"]["options"] for one in table["fieldConfig"]["overrides"]} <= set(legends)


def test_days_are_whole_days() -> None:
    """A point of *Providers* stands for a day, and is drawn where the day begins."""
    daily = [panel for panel in panels("providers.json") if panel["type"] == "timeseries"]
    assert daily
    for panel in daily:
        assert panel["interval"] == "1d", panel["title"]
        for target in panel["targets"]:
            assert set(re.findall(r"\[[^]]+\][^)]*", target["expr"])) == {"[1d] offset -1d"}, panel["title"]


def test_chart_installs_dashboards(chart: Chart) -> None:
    """One ConfigMap for each dashboard, with the configured labels and folder, for Grafana's sidecar."""
    maps = [one for one in chart.scenario("everything").all("ConfigMap") if "-dashboard-" in one["metadata"]["name"]]
    assert len(maps) == len(DASHBOARDS)
    files: dict[str, str] = {}
    for one in maps:
        assert one["metadata"]["labels"]["grafana_dashboard"] == "sms"
        assert one["metadata"]["annotations"]["grafana_folder"] == "SMS"
        files |= one["data"]
    base = "https://docs.example.com/sms-bridge/runbooks"
    for file in DASHBOARDS:
        expected = (FOLDER / file).read_text().replace(BASE, base).replace("http://localhost:9090", STATUS_PAGE)
        assert json.loads(files[f"sms-bridge-{file}"]) == json.loads(expected)


def test_dashboards_are_optional(chart: Chart) -> None:
    """By default there are none; a misspelt value is refused."""
    assert "-dashboard-" not in str(chart.scenario("minimal").objects)
    with pytest.raises(Refused, match="label"):
        chart.render("minimal", dashboards__label={"a": "b"})


def test_compose_uses_the_same_files() -> None:
    """Grafana's provisioning finds the chart's dashboards and the data source."""
    volumes = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]["grafana"]["volumes"]
    assert f"./helm/sms-bridge/files/dashboards:{MOUNTED}:ro" in volumes
    (mounted,) = (volume.split(":")[0] for volume in volumes if "provisioning/dashboards" in volume)
    (provider,) = yaml.safe_load((ROOT / mounted).read_text())["providers"]
    assert provider["options"]["path"] == MOUNTED
