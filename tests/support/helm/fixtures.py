"""Fixtures: the chart. A plugin of pytest."""

import pytest

from tests.support.helm.binaries import helm
from tests.support.helm.chart import Chart


@pytest.fixture(scope="session")
def chart() -> Chart:
    """Helm with the chart."""
    return Chart(helm())
