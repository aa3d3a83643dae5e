"""Dashboards as Grafana reads them. What they show isn't decided here."""

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
"""Where links to runbooks point; an installation puts its own address in its place."""

TAG = "sms-bridge"
HEIGHT, NUMBERS_HEIGHT = 8, 4


def rendered(one: Dashboard) -> str:
    """A dashboard's JSON, the same for the same dashboard."""
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
        .link(_others())
        .with_variable(dashboard.DatasourceVariable("datasource").label("Prometheus").type("prometheus"))
        .with_variable(_choice("namespace", "label_values(sms_bridge_build_info, namespace)"))
        .with_variable(_choice("job", 'label_values(sms_bridge_build_info{namespace=~"$namespace"}, job)'))
    )
    ids = count(1)
    for row in one.rows:
        board = _with_row(board, row, ids)
    return JSONEncoder(sort_keys=True, indent=2).encode(board.build()) + "\n"


def _with_row(board: dashboard.Dashboard, row: Row, ids: Iterator[int]) -> dashboard.Dashboard:
    board = board.with_row(dashboard.Row(row.title).id(next(ids)))
    for panel in row.panels:
        board = board.with_panel((_number(panel) if panel.number else _lines(panel)).id(next(ids)))
    return board


def _choice(name: str, query: str) -> dashboard.QueryVariable:
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


def _others() -> dashboard.DashboardLink:
    link = dashboard.DashboardLink("SMS bridge").type(DashboardLinkType.DASHBOARDS).tags([TAG])
    return link.as_dropdown(as_dropdown=False).keep_time(keep_time=True).include_vars(include_vars=True)


def _lines(panel: Panel) -> timeseries.Panel:
    made = (
        timeseries.Panel()
        .title(panel.title)
        .description(panel.description)
        .unit(panel.unit)
        .datasource(SOURCE)
        .height(HEIGHT)
        .span(panel.width)
        .links(_links(panel))
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
        made = made.min(0)
    if panel.stacked:
        made = made.stacking(common.StackingConfig().mode(StackingMode.NORMAL))
    for query in _queries(panel):
        made = made.with_target(query)
    return made


def _number(panel: Panel) -> stat.Panel:
    made = (
        stat.Panel()
        .title(panel.title)
        .description(panel.description)
        .unit(panel.unit)
        .datasource(SOURCE)
        .height(NUMBERS_HEIGHT)
        .span(panel.width)
        .links(_links(panel))
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .graph_mode(BigValueGraphMode.NONE)
        .color_mode(BigValueColorMode.NONE)
    )
    for query in _queries(panel):
        made = made.with_target(query)
    return made


def _queries(panel: Panel) -> list[prometheus.Dataquery]:
    return [
        prometheus.Dataquery().ref_id(chr(ord("A") + number)).expr(expression).legend_format(legend).datasource(SOURCE)
        for number, (legend, expression) in enumerate(panel.queries.items())
    ]


def _links(panel: Panel) -> list[Builder[DashboardLink]]:
    return [
        dashboard.DashboardLink(f"Runbook {alert}").type(DashboardLinkType.LINK).url(f"{RUNBOOKS}/{alert}.md")
        for alert in panel.runbooks
    ]
