"""Queries that put ends back to the time of sending: of what was sent a while ago, how much has ended since.

A message counts when it begins and when it ends, each with its age in a few steps (`bridge/tracker/cohorts.py`). An end
at an age of 1 to 10 minutes is that of a message sent about 5 minutes before, so it is looked up 5 minutes after the
time of sending. That places each message within half a step, which a window averages out.
"""

from collections.abc import Mapping
from typing import NamedTuple

from scripts.dashboards.panels import ACCOUNT, select_series

MIDDLES: Mapping[str, int] = {"1m": 30, "10m": 330, "1h": 2100, "6h": 12600}
"""By age, the middle of its step in seconds."""


class Cohort(NamedTuple):
    """What was sent a while ago."""

    name: str
    seconds: int
    """How long ago."""
    window: str
    """Over how much of that time rates are averaged."""


COHORTS = (
    Cohort("10 minutes", 600, "10m"),
    Cohort("an hour", 3600, "30m"),
    Cohort("6 hours", 21600, "1h"),
)


def make_rate(metric: str, cohort: Cohort, where: str = "", by: str = "provider") -> str:
    """Return a query for the rate per second of a cohort's beginnings or ends, by labels, at the time of sending."""
    terms = []
    for age, middle in MIDDLES.items():
        if middle < cohort.seconds:
            labels = ", ".join(filter(None, (ACCOUNT, where, f'age="{age}"')))
            series = select_series(f"{metric}_total", labels)
            offset = _format_seconds(cohort.seconds - middle)
            terms.append(f"sum by ({by}) (rate({series}[{cohort.window}] offset {offset}))")
    return " + ".join(terms)


def make_delivered_share(cohort: Cohort, by: str = "provider") -> str:
    """Return a query for the share of a cohort that has been delivered."""
    delivered = make_rate("attempts_ended", cohort, 'outcome="delivered"', by)
    return f"({delivered}) / ({make_rate('attempts_started', cohort, by=by)} > 0)"


def _format_seconds(seconds: int) -> str:
    minutes, rest = divmod(seconds, 60)
    return f"{minutes}m{rest}s" if rest else f"{minutes}m"
