"""Renders dashboards as Grafana's JSON."""

import json
from collections.abc import Iterator
from itertools import count
from typing import Any

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import DashboardCursorSync, DashboardLinkType, VariableRefresh

from scripts.dashboards.operation import FORWARD, STATUS_PAGE_URL
from scripts.dashboards.panels import CHOSEN, Dashboard, Row
from scripts.dashboards.views import RUNBOOKS, SOURCE, make_panel

TAG = "sms-bridge"
VARIABLES = {
    "namespace": "label_values(sms_bridge_build_info, namespace)",
    "job": 'label_values(sms_bridge_build_info{namespace=~"$namespace"}, job)',
    "provider": f"label_values(sms_bridge_attempts_started_total{{{CHOSEN}}}, provider)",
    "account": f'label_values(sms_bridge_attempts_started_total{{{CHOSEN}, provider=~"$provider"}}, account)',
}
"""What the viewer chooses, by name: where the choices come from."""

STARTS = f"process_start_time_seconds{{{CHOSEN}}} * 1000 and on (namespace, job, instance) sms_bridge_build_info"
VERSIONS = f"sum by (version) (sms_bridge_build_info{{{CHOSEN}}})"
ANNOTATIONS = (
    ("Starts", "blue", STARTS, "{{pod}} started", True),
    ("Versions", "purple", f"{VERSIONS} unless {VERSIONS.replace('})', '} offset 5m)')}", "version {{version}}", False),
)
"""What is marked in all graphs: name, colour, query, text, and whether the query's value is the time."""


def render_dashboard(one: Dashboard) -> str:
    """Return a dashboard's JSON."""
    board = (
        dashboard.Dashboard(one.title)
        .uid(one.uid)
        .description(one.description)
        .tags([TAG])
        .readonly()
        .refresh(one.refresh)
        .time(one.begin, "now")
        .timezone("browser")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .link(_make_links_to_dashboards())
        .link(_make_link("Runbooks", f"{RUNBOOKS}/README.md", "What to do about each alert"))
        .link(_make_link("Status page", STATUS_PAGE_URL, f"Unless it is published, run first: {FORWARD}"))
        .with_variable(dashboard.DatasourceVariable("datasource").label("Prometheus").type("prometheus"))
    )
    for name, query in VARIABLES.items():
        board = board.with_variable(_make_variable(name, query))
    ids = count(1)
    for row in one.rows:
        board = _add_row(board, row, ids)
    document = json.loads(JSONEncoder().encode(board.build()))
    document["annotations"] = {"list": [_make_annotation(*each) for each in ANNOTATIONS]}
    return json.dumps(document, sort_keys=True, indent=2) + "\n"


def _add_row(board: dashboard.Dashboard, row: Row, ids: Iterator[int]) -> dashboard.Dashboard:
    board = board.with_row(dashboard.Row(row.title).id(next(ids)))
    for panel in row.panels:
        board = board.with_panel(make_panel(panel).id(next(ids)))
    return board


def _make_annotation(name: str, color: str, query: str, text: str, value_is_time: bool) -> dict[str, Any]:  # noqa: FBT001 - a table's column
    """Make an annotation; the builders lack the members of Prometheus."""
    return {
        "name": name,
        "datasource": {"type": "prometheus", "uid": "${datasource}"},
        "enable": True,
        "iconColor": color,
        "expr": query,
        "titleFormat": text,
        "step": "60s",
        "useValueForTime": "on" if value_is_time else False,
    }


def _make_variable(name: str, query: str) -> dashboard.QueryVariable:
    return (
        dashboard.QueryVariable(name)
        .label(name.capitalize())
        .datasource(SOURCE)
        .query(query)
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .multi(multi=True)
        .include_all(include_all=True)
        .all_value(".*")
    )


def _make_links_to_dashboards() -> dashboard.DashboardLink:
    link = dashboard.DashboardLink("SMS bridge").type(DashboardLinkType.DASHBOARDS).tags([TAG])
    return link.as_dropdown(as_dropdown=False).keep_time(keep_time=True).include_vars(include_vars=True)


def _make_link(title: str, url: str, tooltip: str) -> dashboard.DashboardLink:
    link = dashboard.DashboardLink(title).type(DashboardLinkType.LINK).url(url).tooltip(tooltip)
    return link.icon("external link").target_blank(target_blank=True)
