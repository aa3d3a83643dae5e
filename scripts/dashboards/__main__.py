"""Writes the dashboards that the chart installs."""

from pathlib import Path

from scripts.dashboards.board import render_dashboard
from scripts.dashboards.delivery import DELIVERY
from scripts.dashboards.providers import PROVIDERS
from scripts.dashboards.service import SERVICE

FOLDER = Path(__file__).parents[2] / "helm" / "sms-bridge" / "files" / "dashboards"
DASHBOARDS = {"delivery.json": DELIVERY, "providers.json": PROVIDERS, "service.json": SERVICE}
"""By file name."""

if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for file, one in DASHBOARDS.items():
        (FOLDER / file).write_text(render_dashboard(one))
