"""Panels that several dashboards begin with: which alerts fire, and where the status page is."""

from scripts.dashboards.panels import FOURTH, HALF, Panel, View

STATUS_PAGE_URL = "http://localhost:9090"
"""Where the status page is after the command below; the chart replaces it with the installation's URL."""

FORWARD = "kubectl --namespace $namespace port-forward service/$job 9090"
"""The label `job` is the name of the Service that Prometheus scrapes."""

STATUS_PAGE = Panel(
    "What happened to one message?",
    f"The [status page]({STATUS_PAGE_URL}) finds a message by the sender's or the provider's id and shows its history. "
    f"Unless it is published, choose a namespace and a job above and run `{FORWARD}` first.",
    "",
    {},
    width=HALF,
    view=View.TEXT,
)

FIRING = 'ALERTS{alertname=~"SmsBridge.+", alertstate="firing", namespace=~"$namespace", job=~"$job|"}'
"""Some alerts are about pods and have no job."""

ALERT_STATES = {0: ("no alert", "green"), 1: ("warning", "orange"), 2: ("critical", "red")}


CRITICAL = FIRING.replace("{", '{severity="critical", ')

ALERTS = Panel(
    "Alerts",
    "The most severe alert that fires now. This Prometheus must evaluate the chart's alerts (prometheusRule.enabled); "
    "otherwise it always says that there is none.",
    "short",
    {"alerts": f"max({CRITICAL} * 2 or {FIRING}) or vector(0)"},
    width=FOURTH,
    view=View.NUMBER,
    states={0: ("no alert", "green"), 1: ("warning", "orange"), 2: ("critical", "red")},
)

ALERTS_OVER_TIME = Panel(
    "Alerts over time",
    "When each alert fired. Its page among the runbooks says what to do.",
    "short",
    {"{{alertname}}": f"max by (alertname) ({FIRING})"},
    width=HALF,
    view=View.STATES,
    states={1: ("fires", "red"), 0: ("quiet", "green")},
)
