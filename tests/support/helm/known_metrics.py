"""The series that the service can expose, which alerts and dashboards may use."""

from prometheus_client import CollectorRegistry

from bridge.observability.metrics import Metrics

OF_PROMETHEUS = {"namespace", "job", "instance", "pod"}
"""Labels that every target has."""

SUFFIXES = {"counter": ("_total", ""), "histogram": ("_bucket", "_sum", "_count"), "gauge": ("",)}
"""Of the names of a metric's series. A counter's bare name is its family."""


def labels_of_metrics() -> dict[str, set[str]]:
    """Return the labels of every series that the service can expose."""
    found: dict[str, set[str]] = {}
    for metric in Metrics(CollectorRegistry()):
        (family,) = metric.describe()
        for suffix in SUFFIXES[family.type]:
            labels = {"le"} if suffix == "_bucket" else set[str]()
            found[f"{family.name}{suffix}"] = {*metric._labelnames, *labels}  # noqa: SLF001 - nothing public tells
    return found
