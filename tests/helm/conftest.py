"""What the chart's tests may ask for."""

import pytest

from tests.helm.binaries import helm
from tests.helm.chart import Chart, Release


@pytest.fixture(scope="session")
def chart() -> Chart:
    """Helm with the chart."""
    return Chart(helm())


@pytest.fixture
def release(chart: Chart, scenario: str) -> Release:
    """What a scenario renders to."""
    return chart.scenario(scenario)
