"""What a dashboard is made of, as plain values, and the few forms that its queries have. Nothing of Grafana's own."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

CHOSEN = 'namespace=~"$namespace", job=~"$job"'
"""What every query asks for: the installations that the viewer chose."""

QUANTILES: Mapping[str, float] = {"p50": 0.5, "p95": 0.95, "p99": 0.99}

OR_NONE = " or on () vector(0)"

THIRD, HALF = 8, 12
"""Widths, in twenty-fourths of the screen."""


class Panel(NamedTuple):
    """One panel."""

    title: str
    description: str
    unit: str
    """In Grafana's words: `mps`, `s`, `percentunit`, `short`, `bytes`, …"""
    queries: Mapping[str, str]
    """By legend, in which `{{label}}` stands for a label's value."""
    runbooks: Sequence[str] = ()
    """Alerts whose pages help with what is seen here."""
    width: int = THIRD
    stacked: bool = False
    signed: bool = False
    """Values below 0 mean something."""
    number: bool = False
    """Shown as one figure a series, the latest, in place of lines over time."""


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


def series(metric: str, where: str = "") -> str:
    """The chosen installations' series of a metric."""
    return f"sms_bridge_{metric}{{{', '.join(filter(None, (CHOSEN, where)))}}}"


def rate(metric: str, by: str, where: str = "", over: str = "$__rate_interval") -> str:
    """How many a second, by labels; a counter's name is given without `_total`."""
    return f"sum by ({by}) (rate({series(f'{metric}_total', where)}[{over}]))"


def quantiles(metric: str, by: str = "") -> dict[str, str]:
    """Percentiles of a classic histogram, by legend."""
    labels = ", ".join(filter(None, ("le", by)))
    buckets = f"sum by ({labels}) (rate({series(f'{metric}_bucket')}[$__rate_interval]))"
    legend = " ".join(f"{{{{{label.strip()}}}}}" for label in by.split(",") if label)
    return {f"{legend} {name}".strip(): f"histogram_quantile({q:g}, {buckets})" for name, q in QUANTILES.items()}


def or_none(query: str) -> str:
    """A query about accidents: where there was none, the answer is 0 and not an empty panel."""
    return f"{query}{OR_NONE}"
