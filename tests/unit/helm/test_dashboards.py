"""The dashboards: current, of metrics that there are, every panel explained, installed by the chart and by compose."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts.dashboards.__main__ import DASHBOARDS, FOLDER
from scripts.dashboards.board import rendered
from tests.support.helm.chart import Chart, Refused
from tests.support.helm.known_metrics import OF_PROMETHEUS, labels_of_metrics
from tests.support.paths import ROOT

RUNBOOKS = ROOT / "docs" / "runbooks"
MOUNTED = "/var/lib/grafana/dashboards"


def panels(file: str) -> Iterator[Any]:
    """A committed dashboard's panels; rows are none."""
    return (panel for panel in json.loads((FOLDER / file).read_text())["panels"] if panel["type"] != "row")


@pytest.mark.parametrize("file", DASHBOARDS)
def test_the_committed_json_is_current(file: str) -> None:
    """What is installed is what the code says (`make dashboards` writes it)."""
    assert (FOLDER / file).read_text() == rendered(DASHBOARDS[file])


def test_there_is_no_other_file() -> None:
    """The chart installs every file of the folder."""
    assert {file.name for file in FOLDER.iterdir()} == DASHBOARDS.keys()


@pytest.mark.parametrize("file", DASHBOARDS)
def test_every_panel_explains_itself(file: str) -> None:
    """Whoever looks for the first time reads what it shows, in which unit, and which line is which."""
    ids = []
    for panel in panels(file):
        ids.append(panel["id"])
        assert panel["title"]
        assert panel["description"].endswith("."), panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert panel["targets"], panel["title"]
        assert all(target["legendFormat"] for target in panel["targets"]), panel["title"]
    assert len(ids) == len(set(ids)) > 10


@pytest.mark.parametrize("file", DASHBOARDS)
def test_no_panel_hides_another(file: str) -> None:
    """Each has its own place, within the screen's width."""
    taken: dict[tuple[int, int], int] = {}
    for panel in json.loads((FOLDER / file).read_text())["panels"]:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24, panel["title"]
        for x in range(at["x"], at["x"] + at["w"]):
            for y in range(at["y"], at["y"] + at["h"]):
                assert taken.setdefault((x, y), panel["id"]) == panel["id"], panel["title"]


@pytest.mark.parametrize("file", DASHBOARDS)
def test_every_query_is_of_metrics_that_there_are(file: str) -> None:
    """A renamed metric or label leaves no panel empty; and every query asks for the chosen installation only."""
    known = labels_of_metrics()
    for panel in panels(file):
        for query in (target["expr"] for target in panel["targets"]):
            used = re.findall(r"(sms_bridge_\w+)(?:\{([^}]*)\})?", query)
            assert used, query
            assert {name for name, _ in used} <= known.keys(), query
            assert all('namespace=~"$namespace", job=~"$job"' in where for _, where in used), query
            labels = {label for name, _ in used for label in known[name]} | OF_PROMETHEUS
            grouped = {label for group in re.findall(r"by \(([a-z_, ]+)\)", query) for label in group.split(", ")}
            asked = {label for _, where in used for label in re.findall(r"(\w+)=", where)}
            assert grouped | asked <= labels, query
            for target in panel["targets"]:
                wanted = set(re.findall(r"{{(\w+)}}", target["legendFormat"]))
                assert wanted <= labels, panel["title"]


def test_service_links_to_the_runbooks() -> None:
    """From what looks wrong it is one step to what to do; no link is dead."""
    links = [link["url"] for file in DASHBOARDS for panel in panels(file) for link in panel["links"]]
    pages = {Path(link).stem for link in links}
    assert pages == {page.stem for page in RUNBOOKS.glob("*.md")}
    assert all((ROOT / link).is_file() for link in links)


def test_the_chart_installs_them_for_grafanas_sidecar(chart: Chart) -> None:
    """One ConfigMap each, with the labels and the folder of the values, whose links lead to the published runbooks."""
    maps = [one for one in chart.scenario("everything").all("ConfigMap") if "-dashboard-" in one["metadata"]["name"]]
    assert len(maps) == len(DASHBOARDS)
    files: dict[str, str] = {}
    for one in maps:
        assert one["metadata"]["labels"]["grafana_dashboard"] == "sms"
        assert one["metadata"]["annotations"]["grafana_folder"] == "SMS"
        files |= one["data"]
    base = "https://docs.example.com/sms-bridge/runbooks"
    for file in DASHBOARDS:
        expected = (FOLDER / file).read_text().replace("docs/runbooks", base)
        assert json.loads(files[f"sms-bridge-{file}"]) == json.loads(expected)


def test_the_chart_leaves_them_out_unless_asked(chart: Chart) -> None:
    """A cluster without Grafana gets no dashboards; a misspelt value is refused."""
    assert "-dashboard-" not in str(chart.scenario("minimal").objects)
    with pytest.raises(Refused, match="label"):
        chart.render("minimal", dashboards__label={"a": "b"})


def test_compose_shows_the_same_files() -> None:
    """Grafana finds the chart's files where its provisioning says, and the data source that they choose from."""
    volumes = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]["grafana"]["volumes"]
    assert f"./helm/sms-bridge/files/dashboards:{MOUNTED}:ro" in volumes
    (mounted,) = (volume.split(":")[0] for volume in volumes if "provisioning/dashboards" in volume)
    (provider,) = yaml.safe_load((ROOT / mounted).read_text())["providers"]
    assert provider["options"]["path"] == MOUNTED
