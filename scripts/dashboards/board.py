"""Renders dashboards as Grafana's JSON."""

import json
import tomllib
from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Any

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, statetimeline, timeseries
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    BigValueGraphMode,
    BigValueTextMode,
    GraphDrawStyle,
    GraphThresholdsStyleMode,
    LegendDisplayMode,
    LegendPlacement,
    SortOrder,
    StackingMode,
    TimelineValueAlignment,
    TooltipDisplayMode,
    VisibilityMode,
)
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DashboardLink,
    DashboardLinkType,
    DataSourceRef,
    DynamicConfigValue,
    Threshold,
    ThresholdsMode,
    ValueMap,
    ValueMappingResult,
    VariableRefresh,
)

from scripts.dashboards.panels import CHOSEN, Dashboard, Limits, Panel, Row, View

SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
RUNBOOKS = f"{PROJECT['urls']['Documentation']}/runbooks"
"""The base of links to runbooks; the chart replaces it with the installation's URL."""

TAG = "sms-bridge"
HEIGHTS = {View.GRAPH: 8, View.BARS: 8, View.NUMBER: 4, View.STATES: 6}
BAR_INTERVAL = "2m"
"""The least that a bar stands for: it must contain two scrapes."""

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
        .refresh("30s")
        .time("now-6h", "now")
        .timezone("browser")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .link(_make_links_to_dashboards())
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
    makers = {View.NUMBER: _make_number, View.STATES: _make_states}
    for panel in row.panels:
        board = board.with_panel(makers.get(panel.view, _make_graph)(panel).id(next(ids)))
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


def _make_graph(panel: Panel) -> Any:
    built = _describe(timeseries.Panel(), panel)
    is_bars = panel.view is View.BARS
    built = (
        built.fill_opacity(30 if panel.stacked or is_bars else 5)
        .show_points(VisibilityMode.NEVER)
        .tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI).sort(SortOrder.DESCENDING))
        .legend(
            common.VizLegendOptions()
            .display_mode(LegendDisplayMode.TABLE)
            .placement(LegendPlacement.BOTTOM)
            .show_legend(show_legend=True)
            .calcs(["lastNotNull", "max"])
        )
    )
    if is_bars:
        built = built.draw_style(GraphDrawStyle.BARS).interval(BAR_INTERVAL)
    if not panel.signed:
        built = built.min(0)
    if panel.stacked:
        built = built.stacking(common.StackingConfig().mode(StackingMode.NORMAL))
    if panel.limits:
        built = built.thresholds_style(common.GraphThresholdsStyleConfig().mode(GraphThresholdsStyleMode.DASHED))
    return built


def _make_number(panel: Panel) -> Any:
    is_judged = panel.limits or panel.states
    return (
        _describe(stat.Panel(), panel)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .graph_mode(BigValueGraphMode.NONE)
        .text_mode(BigValueTextMode.VALUE_AND_NAME if len(panel.queries) > 1 else BigValueTextMode.AUTO)
        .color_mode(BigValueColorMode.BACKGROUND if is_judged else BigValueColorMode.NONE)
    )


def _make_states(panel: Panel) -> Any:
    return (
        _describe(statetimeline.Panel(), panel)
        .merge_values(merge_values=True)
        .show_value(VisibilityMode.AUTO)
        .align_value(TimelineValueAlignment.LEFT)
        .row_height(0.9)
        .fill_opacity(70)
        .legend(common.VizLegendOptions().show_legend(show_legend=False).display_mode(LegendDisplayMode.HIDDEN))
    )


def _describe(built: Any, panel: Panel) -> Any:
    """Add what panels of all views have."""
    built = (
        built.title(panel.title)
        .description(panel.description)
        .unit(panel.unit)
        .datasource(SOURCE)
        .height(HEIGHTS[panel.view])
        .span(panel.width)
        .links(_make_runbook_links(panel))
    )
    if panel.limits:
        built = built.thresholds(_make_thresholds(panel.limits))
    if panel.states:
        built = built.thresholds(_make_thresholds(Limits(None, None))).mappings([_make_mapping(panel.states)])
    for legend, color in (panel.colors or {}).items():
        built = built.override_by_name(legend, [DynamicConfigValue("color", {"mode": "fixed", "fixedColor": color})])
    for query in _make_queries(panel):
        built = built.with_target(query)
    return built


def _make_thresholds(limits: Limits) -> dashboard.ThresholdsConfig:
    """Make the steps of colours from low to high; the first has no lower end."""
    colors = ("red", "orange", "green") if limits.falling else ("green", "orange", "red")
    ends = (limits.critical, limits.warning) if limits.falling else (limits.warning, limits.critical)
    pairs = [(end, color) for end, color in zip(ends, colors[1:], strict=True) if end is not None]
    if limits.falling and limits.warning is None and limits.critical is not None:
        pairs = [(limits.critical, "green")]
    steps = [Threshold(None, colors[0]), *(Threshold(end, color) for end, color in pairs)]
    return dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps)


def _make_mapping(states: Mapping[int, tuple[str, str]]) -> ValueMap:
    results = {
        str(value): ValueMappingResult(text=word, color=color, index=number)
        for number, (value, (word, color)) in enumerate(states.items())
    }
    return ValueMap(options=results)


def _make_queries(panel: Panel) -> Iterator[prometheus.Dataquery]:
    for number, (legend, expression) in enumerate(panel.queries.items()):
        query = prometheus.Dataquery().ref_id(chr(ord("A") + number)).expr(expression).legend_format(legend)
        # Over a range, a number would also show series that have ended, such as those of an old version.
        yield (query.instant() if panel.view is View.NUMBER else query).datasource(SOURCE)


def _make_runbook_links(panel: Panel) -> list[Builder[DashboardLink]]:
    return [
        dashboard.DashboardLink(f"Runbook {alert}").type(DashboardLinkType.LINK).url(f"{RUNBOOKS}/{alert}.md")
        for alert in panel.runbooks
    ]
