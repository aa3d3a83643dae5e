"""The parts of a dashboard as plain values, and functions that make its queries. Nothing here depends on Grafana."""

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import NamedTuple

CHOSEN = 'namespace=~"$namespace", job=~"$job"'
"""Selects the installations that the viewer chose; part of every query."""

PROVIDER = 'provider=~"$provider"'
"""Selects the chosen providers; part of every query about a metric that has this label."""

ACCOUNT = f'{PROVIDER}, account=~"$account"'
"""Selects the chosen accounts of the chosen providers."""

QUANTILES: Mapping[str, float] = {"p50": 0.5, "p95": 0.95, "p99": 0.99}

OR_ZERO = " or on () vector(0)"

SIXTH, FOURTH, THIRD, HALF, FULL = 4, 6, 8, 12, 24
"""Widths; the screen has 24 columns."""


class View(Enum):
    """How a panel shows its queries."""

    GRAPH = "graph"
    NUMBER = "number"
    """Only the latest value of each series."""
    BARS = "bars"
    """Single events, counted per interval."""
    STATES = "states"
    """A bar for each series whose colour is its state over time."""
    DAYS = "days"
    """A point for each day."""
    DAY_BARS = "day bars"
    """A stacked bar for each day."""
    TABLE = "table"
    """The latest values: a row for each series, a column for each query, named by its legend."""
    TEXT = "text"
    """The description, as a text on the screen."""


class Limits(NamedTuple):
    """From where on a value is a warning, and from where on it is critical; None: never."""

    warning: float | None
    critical: float | None
    falling: bool = False
    """Whether low values are the bad ones: what is below a limit counts then."""


class Panel(NamedTuple):
    """One panel."""

    title: str
    description: str
    unit: str
    """Grafana's name of the unit: `mps`, `s`, `percentunit`, `short`, `bytes`, …"""
    queries: Mapping[str, str]
    """By legend, in which `{{label}}` is a label's value."""
    runbooks: Sequence[str] = ()
    """Alerts whose runbooks help with this panel."""
    width: int = THIRD
    view: View = View.GRAPH
    limits: Limits | None = None
    states: Mapping[int, tuple[str, str]] | None = None
    """By value, its word and its colour."""
    colors: Mapping[str, str] | None = None
    """By legend; None: any."""
    stacked: bool = False
    signed: bool = False
    """Whether values may be below 0."""
    units: Mapping[str, str] | None = None
    """By legend, the unit of a table's column, where it is another one."""


class Row(NamedTuple):
    """Panels under one heading."""

    title: str
    panels: Sequence[Panel]


class Dashboard(NamedTuple):
    """One dashboard."""

    uid: str
    title: str
    description: str
    rows: Sequence[Row]
    begin: str = "now-6h"
    """From when on it shows data at first."""
    refresh: str = "30s"
    """How often it asks for new data."""


def select_series(metric: str, where: str = "") -> str:
    """Return a selector for the chosen installations' series of a metric."""
    return f"sms_bridge_{metric}{{{', '.join(filter(None, (CHOSEN, where)))}}}"


def sum_rate(metric: str, by: str, where: str = "", over: str = "$__rate_interval") -> str:
    """Return a query for a counter's rate per second, by labels; the name is given without `_total`."""
    return f"sum by ({by}) (rate({select_series(f'{metric}_total', where)}[{over}]))"


def sum_increase(metric: str, by: str, where: str = "", over: str = "$__interval") -> str:
    """Return a query for how often something rare happened, by labels, which is 0 where it never did."""
    return default_to_zero(f"sum by ({by}) (increase({select_series(f'{metric}_total', where)}[{over}]))")


def sum_daily(metric: str, by: str, where: str = "") -> str:
    """Return a query for a counter's increase on each day, by labels; a day's value is at its beginning."""
    return f"sum by ({by}) (increase({select_series(f'{metric}_total', where)}[1d] offset -1d))"


def sum_in_range(metric: str, by: str, where: str = "") -> str:
    """Return a query for a counter's increase in the time that the viewer looks at, by labels."""
    return f"sum by ({by}) (increase({select_series(f'{metric}_total', where)}[$__range]))"


def make_quantiles(metric: str, by: str = "", where: str = "") -> dict[str, str]:
    """Return queries for the percentiles of a classic histogram, by legend."""
    labels = ", ".join(filter(None, ("le", by)))
    buckets = f"sum by ({labels}) (rate({select_series(f'{metric}_bucket', where)}[$__rate_interval]))"
    legend = " ".join(f"{{{{{label.strip()}}}}}" for label in by.split(",") if label)
    return {f"{legend} {name}".strip(): f"histogram_quantile({q:g}, {buckets})" for name, q in QUANTILES.items()}


def default_to_zero(query: str) -> str:
    """Return a query that gives 0 instead of an empty panel if there are no series."""
    return f"{query}{OR_ZERO}"
