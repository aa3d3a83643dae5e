"""What only the chart's tests may ask for."""

import pytest

from tests.support.helm.chart import Chart, Release


@pytest.fixture
def release(chart: Chart, scenario: str) -> Release:
    """What a scenario renders to."""
    return chart.scenario(scenario)
