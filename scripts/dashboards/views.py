"""Renders panels as Grafana's JSON, one function for each way of showing queries."""

import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from string import ascii_uppercase
from typing import Any

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, statetimeline, table, text, timeseries
from grafana_foundation_sdk.cog.builder import Builder
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
    DashboardLink,
    DashboardLinkType,
    DataSourceRef,
    DataTransformerConfig,
    DynamicConfigValue,
    Threshold,
    ThresholdsMode,
    ValueMap,
    ValueMappingResult,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat
from grafana_foundation_sdk.models.text import TextMode

from scripts.dashboards.panels import Limits, Panel, View

SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
RUNBOOKS = f"{PROJECT['urls']['Documentation']}/runbooks"
"""The base of links to runbooks; the chart replaces it with the installation's URL."""

HEIGHTS = {View.NUMBER: 4, View.STATES: 6, View.TEXT: 6}
"""Of views that are not as high as a graph."""

GRAPH_HEIGHT = 8
INTERVALS = {View.BARS: "2m", View.DAYS: "1d", View.DAY_BARS: "1d"}
"""The least that a point or a bar stands for. It must contain two scrapes."""

INSTANT = {View.NUMBER, View.TABLE}
"""Over a range, a number would also show series that have ended, such as those of an old version."""


def make_panel(panel: Panel) -> Any:
    """Make a panel."""
    makers: Mapping[View, Callable[[Panel], Any]] = {
        View.NUMBER: _make_number,
        View.STATES: _make_states,
        View.TABLE: _make_table,
        View.TEXT: _make_text,
    }
    return makers.get(panel.view, _make_graph)(panel)


def _make_graph(panel: Panel) -> Any:
    built = _describe(timeseries.Panel(), panel)
    is_bars, is_daily = panel.view in {View.BARS, View.DAY_BARS}, panel.view in {View.DAYS, View.DAY_BARS}
    is_stacked = panel.stacked or panel.view is View.DAY_BARS
    built = (
        built.fill_opacity(30 if is_stacked or is_bars else 5)
        .show_points(VisibilityMode.ALWAYS if is_daily else VisibilityMode.NEVER)
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
        built = built.draw_style(GraphDrawStyle.BARS)
    if panel.view in INTERVALS:
        built = built.interval(INTERVALS[panel.view])
    if not panel.signed:
        built = built.min(0)
    if is_stacked:
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


def _make_table(panel: Panel) -> Any:
    """Make a table: labels, and a column for each query."""
    names = {f"Value #{letter}": legend for letter, legend in zip(ascii_uppercase, panel.queries, strict=False)}
    labels = {"provider": "Provider", "account": "Account"}
    order = {name: place for place, name in enumerate((*labels, *names))}
    built = (
        _describe(table.Panel(), panel)
        .with_transformation(DataTransformerConfig(id_val="merge", options={}))
        .with_transformation(
            DataTransformerConfig(
                id_val="organize",
                options={"excludeByName": {"Time": True}, "indexByName": order, "renameByName": {**labels, **names}},
            )
        )
        .sort_by([common.TableSortByFieldState().display_name(next(iter(panel.queries))).desc(desc=True)])
    )
    for legend, unit in (panel.units or {}).items():
        built = built.override_by_name(legend, [DynamicConfigValue("unit", unit)])
    return built


def _make_text(panel: Panel) -> Any:
    """Make a text, which is the description."""
    return (
        text.Panel()
        .title(panel.title)
        .mode(TextMode.MARKDOWN)
        .content(panel.description)
        .height(HEIGHTS[panel.view])
        .span(panel.width)
    )


def _describe(built: Any, panel: Panel) -> Any:
    """Add what panels of all views have."""
    built = (
        built.title(panel.title)
        .description(panel.description)
        .unit(panel.unit)
        .datasource(SOURCE)
        .height(HEIGHTS.get(panel.view, GRAPH_HEIGHT))
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
    for letter, (legend, expression) in zip(ascii_uppercase, panel.queries.items(), strict=False):
        query = prometheus.Dataquery().ref_id(letter).expr(expression).legend_format(legend).datasource(SOURCE)
        if panel.view is View.TABLE:
            query = query.format(PromQueryFormat.TABLE)
        yield query.instant() if panel.view in INSTANT else query


def _make_runbook_links(panel: Panel) -> list[Builder[DashboardLink]]:
    return [
        dashboard.DashboardLink(f"Runbook {alert}").type(DashboardLinkType.LINK).url(f"{RUNBOOKS}/{alert}.md")
        for alert in panel.runbooks
    ]
