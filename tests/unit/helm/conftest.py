"""Fixtures of the chart's tests."""

import pytest

from tests.support.helm.chart import Chart, Release


@pytest.fixture
def release(chart: Chart, scenario: str) -> Release:
    """The objects that a scenario renders to."""
    return chart.scenario(scenario)
