"""Reads callbacks that have one report."""

from bridge.core.entries import Report
from bridge.providers.dialect import Callback, Dialect, UnreadableReport


def read_one(dialect: Dialect, callback: Callback, observed_at: int) -> Report | None:
    """Return the report of a callback; None if it has none. An error of the report is raised."""
    reports = dialect.read_callback(callback, observed_at)
    assert len(reports) <= 1
    for report in reports:
        if isinstance(report, UnreadableReport):
            raise report.error
        return report
    return None
