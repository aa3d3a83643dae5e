"""Renders dashboards as Grafana's JSON."""

from collections.abc import Iterator
from itertools import count

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    BigValueGraphMode,
    LegendDisplayMode,
    LegendPlacement,
    SortOrder,
    StackingMode,
    TooltipDisplayMode,
)
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DashboardLink,
    DashboardLinkType,
    DataSourceRef,
    VariableRefresh,
)

from scripts.dashboards.panels import Dashboard, Panel, Row

SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
RUNBOOKS = "docs/runbooks"
"""The base of links to runbooks; the chart replaces it with the installation's URL."""

TAG = "sms-bridge"
GRAPH_HEIGHT, NUMBER_HEIGHT = 8, 4


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
        .with_variable(_make_variable("namespace", "label_values(sms_bridge_build_info, namespace)"))
        .with_variable(_make_variable("job", 'label_values(sms_bridge_build_info{namespace=~"$namespace"}, job)'))
    )
    ids = count(1)
    for row in one.rows:
        board = _add_row(board, row, ids)
    return JSONEncoder(sort_keys=True, indent=2).encode(board.build()) + "\n"


def _add_row(board: dashboard.Dashboard, row: Row, ids: Iterator[int]) -> dashboard.Dashboard:
    board = board.with_row(dashboard.Row(row.title).id(next(ids)))
    for panel in row.panels:
        board = board.with_panel((_make_number(panel) if panel.number else _make_graph(panel)).id(next(ids)))
    return board


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


def _make_graph(panel: Panel) -> timeseries.Panel:
    built = (
        timeseries.Panel()
        .title(panel.title)
        .description(panel.description)
        .unit(panel.unit)
        .datasource(SOURCE)
        .height(GRAPH_HEIGHT)
        .span(panel.width)
        .links(_make_runbook_links(panel))
        .fill_opacity(30 if panel.stacked else 5)
        .tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI).sort(SortOrder.DESCENDING))
        .legend(
            common.VizLegendOptions()
            .display_mode(LegendDisplayMode.LIST)
            .placement(LegendPlacement.BOTTOM)
            .show_legend(show_legend=True)
        )
    )
    if not panel.signed:
        built = built.min(0)
    if panel.stacked:
        built = built.stacking(common.StackingConfig().mode(StackingMode.NORMAL))
    for query in _make_queries(panel):
        built = built.with_target(query)
    return built


def _make_number(panel: Panel) -> stat.Panel:
    built = (
        stat.Panel()
        .title(panel.title)
        .description(panel.description)
        .unit(panel.unit)
        .datasource(SOURCE)
        .height(NUMBER_HEIGHT)
        .span(panel.width)
        .links(_make_runbook_links(panel))
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .graph_mode(BigValueGraphMode.NONE)
        .color_mode(BigValueColorMode.NONE)
    )
    for query in _make_queries(panel):
        built = built.with_target(query)
    return built


def _make_queries(panel: Panel) -> list[prometheus.Dataquery]:
    return [
        prometheus.Dataquery().ref_id(chr(ord("A") + number)).expr(expression).legend_format(legend).datasource(SOURCE)
        for number, (legend, expression) in enumerate(panel.queries.items())
    ]


def _make_runbook_links(panel: Panel) -> list[Builder[DashboardLink]]:
    return [
        dashboard.DashboardLink(f"Runbook {alert}").type(DashboardLinkType.LINK).url(f"{RUNBOOKS}/{alert}.md")
        for alert in panel.runbooks
    ]
