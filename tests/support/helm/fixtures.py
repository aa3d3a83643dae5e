"""Fixtures: the chart. A pytest plugin."""

import pytest

from tests.support.helm.binaries import helm
from tests.support.helm.chart import Chart


@pytest.fixture(scope="session")
def chart() -> Chart:
    """Helm with the chart."""
    return Chart(helm())
